#include "bases/docker/words.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <cctype>

namespace assay::bases {

namespace {

constexpr std::size_t kLongest = 4 << 20; // of an expanded text: $X$X$X doubles at each line
constexpr int kDeepest = 16;              // of nested ${A:-${B:-...}}

class Lexer {
  public:
    Lexer(std::string_view text, const Variables& variables, char escape, int depth = 0)
        : text_(text)
        , variables_(variables)
        , escape_(escape)
        , depth_(depth) {}

    std::string all(bool quotes) {
        std::string out;
        while (at_ < text_.size()) take(out, quotes);
        return out;
    }

    std::vector<std::string> words() {
        std::vector<std::string> out;
        for (;;) {
            skip_blanks();
            if (at_ >= text_.size()) return out;
            out.push_back(word());
        }
    }

    std::string word() {
        std::string out;
        while (at_ < text_.size() && !blank(text_[at_])) take(out, true);
        return out;
    }

    // Up to an unquoted '='; empty if there is none in this word.
    std::string key() {
        std::size_t end = at_;
        while (end < text_.size() && text_[end] != '=' && !blank(text_[end])) ++end;
        if (end >= text_.size() || text_[end] != '=') return {};
        std::string out(text_.substr(at_, end - at_));
        at_ = end + 1;
        return out;
    }

    void skip_blanks() {
        while (at_ < text_.size() && blank(text_[at_])) ++at_;
    }
    bool done() const { return at_ >= text_.size(); }
    std::string_view rest() const { return text_.substr(at_); }

  private:
    static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

    void add(std::string& out, std::string_view more) const {
        if (out.size() + more.size() > kLongest)
            throw Error(ErrorKind::Input, "variables expand to more than 4 MiB");
        out += more;
    }

    void take(std::string& out, bool quotes) {
        char c = text_[at_];
        if (quotes && c == '\'') {
            std::size_t end = text_.find('\'', at_ + 1);
            if (end == std::string_view::npos) throw Error(ErrorKind::Input, "unclosed ' quote");
            add(out, text_.substr(at_ + 1, end - at_ - 1));
            at_ = end + 1;
        } else if (quotes && c == '"') {
            ++at_;
            while (at_ < text_.size() && text_[at_] != '"') take_in_double_quotes(out);
            if (at_ >= text_.size()) throw Error(ErrorKind::Input, "unclosed \" quote");
            ++at_;
        } else if (c == escape_ && at_ + 1 < text_.size()) {
            bool kept = !quotes && text_[at_ + 1] != '$';
            if (kept) add(out, text_.substr(at_, 1));
            add(out, text_.substr(at_ + 1, 1));
            at_ += 2;
        } else if (c == '$') {
            take_variable(out);
        } else {
            add(out, text_.substr(at_++, 1));
        }
    }

    void take_in_double_quotes(std::string& out) {
        char c = text_[at_];
        if (c == '$') return take_variable(out);
        if (c == escape_ && at_ + 1 < text_.size()) {
            char next = text_[at_ + 1];
            if (next == '"' || next == '$' || next == escape_) ++at_;
        }
        add(out, text_.substr(at_++, 1));
    }

    std::string name() {
        std::size_t end = at_;
        while (end < text_.size() &&
               (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_'))
            ++end;
        std::string out(text_.substr(at_, end - at_));
        at_ = end;
        return out;
    }

    void take_variable(std::string& out) {
        ++at_;
        if (at_ < text_.size() && text_[at_] == '{') return take_braced(out);
        std::string key = name();
        if (key.empty()) return add(out, "$");
        if (const std::string* value = find(key)) add(out, *value);
    }

    const std::string* find(const std::string& key) const {
        auto it = variables_.find(key);
        return it == variables_.end() ? nullptr : &it->second;
    }

    void take_braced(std::string& out) {
        ++at_;
        std::string key = name();
        if (key.empty() || at_ >= text_.size()) throw Error(ErrorKind::Input, "malformed ${...}");
        const std::string* value = find(key);
        bool colon = text_[at_] == ':';
        if (colon) ++at_;
        char op = at_ < text_.size() ? text_[at_] : '\0';
        if (op == '}' && !colon) {
            ++at_;
            if (value) add(out, *value);
            return;
        }
        if (op != '-' && op != '+')
            throw Error(ErrorKind::Input, "${" + key + "...}: only :- - :+ + are supported");
        ++at_;
        std::string word = braced_word();
        bool set = value && !(colon && value->empty());
        if (op == '-')
            add(out, set ? *value : word);
        else if (set)
            add(out, word);
    }

    std::string braced_word() {
        std::size_t begin = at_;
        for (int open = 1; at_ < text_.size(); ++at_) {
            if (text_[at_] == '{') ++open;
            if (text_[at_] == '}' && --open == 0) break;
        }
        if (at_ >= text_.size()) throw Error(ErrorKind::Input, "malformed ${...}");
        if (depth_ >= kDeepest) throw Error(ErrorKind::Input, "${...} nested too deeply");
        std::string_view inside = text_.substr(begin, at_++ - begin);
        return Lexer(inside, variables_, escape_, depth_ + 1).all(true);
    }

    std::string_view text_;
    const Variables& variables_;
    char escape_;
    int depth_;
    std::size_t at_ = 0;
};

} // namespace

std::string expand(std::string_view text, const Variables& variables, char escape) {
    return Lexer(text, variables, escape).all(true);
}

std::vector<std::string> expand_words(std::string_view text, const Variables& variables,
                                      char escape) {
    return Lexer(text, variables, escape).words();
}

std::vector<std::pair<std::string, std::string>>
expand_pairs(std::string_view text, const Variables& variables, char escape) {
    std::vector<std::pair<std::string, std::string>> out;
    Lexer lexer(text, variables, escape);
    lexer.skip_blanks();
    while (!lexer.done()) {
        std::string key = lexer.key();
        if (key.empty() && out.empty()) { // the old form: everything after the name
            std::string name = lexer.word();
            lexer.skip_blanks();
            if (lexer.done()) throw Error(ErrorKind::Input, "'" + name + "' has no value");
            return {{name, expand(trim(lexer.rest()), variables, escape)}};
        }
        if (key.empty()) throw Error(ErrorKind::Input, "expected KEY=VALUE");
        out.emplace_back(std::move(key), lexer.word());
        lexer.skip_blanks();
    }
    return out;
}

std::string expand_body(std::string_view text, const Variables& variables) {
    return Lexer(text, variables, '\\').all(false);
}

} // namespace assay::bases
