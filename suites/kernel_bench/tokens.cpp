#include "tokens.h"

#include "assay/base/text.h"

#include <algorithm>
#include <cctype>

namespace assay::kernel_bench {

namespace {

bool word_start(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
}
bool word_part(char c) {
    return word_start(c) || std::isdigit(static_cast<unsigned char>(c));
}

class Tokenizer {
  public:
    explicit Tokenizer(std::string_view source)
        : source_(source) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) step();
        return std::move(tokens_);
    }

  private:
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
    }

    // Moves on to `end`, counting lines.
    std::string_view advance(std::size_t end) {
        end = std::min(end, source_.size());
        std::string_view text = source_.substr(at_, end - at_);
        line_ += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
        at_ = end;
        return text;
    }

    void add(Token::Kind kind, std::size_t end) {
        std::size_t line = line_;
        tokens_.push_back({kind, advance(end), line});
    }

    void step() {
        char c = peek();
        if (c == '\n') {
            in_include_ = false;
            advance(at_ + 1);
        } else if (std::isspace(static_cast<unsigned char>(c))) {
            advance(at_ + 1);
        } else if (c == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
            advance(at_ + (peek(1) == '\n' ? 2 : 3));
        } else if (c == '/' && peek(1) == '/') {
            line_comment();
        } else if (c == '/' && peek(1) == '*') {
            std::size_t end = source_.find("*/", at_ + 2);
            advance(end == std::string_view::npos ? source_.size() : end + 2);
        } else if (in_include_ && (c == '<' || c == '"')) {
            include(c == '<' ? '>' : '"');
        } else if (c == '"' || c == '\'') {
            add(Token::Kind::Text, quoted_end(at_));
        } else if (std::isdigit(static_cast<unsigned char>(c))) {
            number();
        } else if (word_start(c)) {
            word();
        } else {
            add(Token::Kind::Symbol, at_ + 1);
        }
    }

    void line_comment() {
        std::size_t end = at_;
        do { // a backslash before the line's end continues the comment
            end = source_.find('\n', end + 1);
        } while (end != std::string_view::npos && source_[end - 1] == '\\');
        advance(end == std::string_view::npos ? source_.size() : end);
    }

    void include(char close) {
        std::size_t end = source_.find_first_of(std::string({close, '\n'}), at_ + 1);
        if (end == std::string_view::npos) end = source_.size();
        tokens_.push_back({Token::Kind::Include, source_.substr(at_ + 1, end - at_ - 1), line_});
        advance(end < source_.size() && source_[end] == close ? end + 1 : end);
        in_include_ = false;
    }

    std::size_t quoted_end(std::size_t begin) const {
        char quote = source_[begin];
        std::size_t i = begin + 1;
        for (; i < source_.size() && source_[i] != '\n'; ++i) {
            if (source_[i] == '\\')
                ++i;
            else if (source_[i] == quote)
                return i + 1;
        }
        return std::min(i, source_.size());
    }

    void number() {
        std::size_t end = at_;
        while (end < source_.size() &&
               (word_part(source_[end]) || source_[end] == '.' || source_[end] == '\''))
            ++end;
        add(Token::Kind::Number, end);
    }

    void word() {
        std::size_t end = at_;
        while (end < source_.size() && word_part(source_[end])) ++end;
        std::string_view text = source_.substr(at_, end - at_);
        if (end < source_.size() && source_[end] == '"' && text.size() <= 3 && text.back() == 'R') {
            raw_string(end);
            return;
        }
        bool hash = !tokens_.empty() && tokens_.back().text == "#";
        if (hash && (text == "include" || text == "include_next" || text == "import"))
            in_include_ = true;
        add(Token::Kind::Word, end);
    }

    void raw_string(std::size_t quote) {
        std::size_t open = source_.find('(', quote);
        if (open == std::string_view::npos || open - quote > 17) {
            add(Token::Kind::Text, quoted_end(quote));
            return;
        }
        std::string close = ")" + std::string(source_.substr(quote + 1, open - quote - 1)) + "\"";
        std::size_t end = source_.find(close, open);
        add(Token::Kind::Text, end == std::string_view::npos ? source_.size() : end + close.size());
    }

    std::string_view source_;
    std::size_t at_ = 0, line_ = 1;
    bool in_include_ = false;
    std::vector<Token> tokens_;
};

} // namespace

std::vector<Token> tokenize(std::string_view source) {
    return Tokenizer(source).run();
}

std::vector<Signal> find_patterns(std::string_view source,
                                  const std::vector<std::string>& patterns) {
    std::vector<Signal> signals;
    for (const Token& token : tokenize(source)) {
        for (const std::string& pattern : patterns) {
            std::string_view p = pattern;
            if (p.starts_with("include:")) {
                if (token.kind == Token::Kind::Include && token.text == p.substr(8))
                    signals.push_back(
                        {"forbidden header '" + std::string(token.text) + "'", token.line});
            } else if (p.starts_with("text:")) {
                if (token.kind == Token::Kind::Text &&
                    token.text.find(p.substr(5)) != std::string_view::npos)
                    signals.push_back({"forbidden text " + std::string(p.substr(5)), token.line});
            } else if (token.kind == Token::Kind::Word && token.text == p) {
                signals.push_back({"forbidden word '" + pattern + "'", token.line});
            }
        }
    }
    return signals;
}

} // namespace assay::kernel_bench
