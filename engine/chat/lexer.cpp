#include "chat/lexer.h"

#include "chat/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace assay::engine::jinja {

namespace {

constexpr std::size_t kMostTokens = 1'000'000;

// \r\n and \r become \n; one at the end is dropped.
std::string normalized(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
            out += '\n';
        } else {
            out += source[i];
        }
    }
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

bool ascii_digit(char c) {
    return c >= '0' && c <= '9';
}

bool name_character(std::string_view text, std::size_t at) {
    auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80)
        return ascii_digit(text[at]) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
    char32_t wide = next_code_point(text, at);
    return is_letter(wide) || is_digit(wide);
}

class Lexer {
  public:
    explicit Lexer(std::string source)
        : source_(std::move(source)) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) root();
        put(Token::Type::End, "");
        return std::move(tokens_);
    }

  private:
    using Type = Token::Type;

    [[noreturn]] void fail(std::string message) const {
        throw SyntaxFailure{line_, std::move(message)};
    }

    bool at_text(std::string_view text, std::size_t at) const {
        return std::string_view(source_).substr(at, text.size()) == text;
    }

    void put(Type type, std::string text) {
        if (tokens_.size() >= kMostTokens) fail("too many tokens");
        tokens_.push_back({type, line_, std::move(text)});
    }

    // Moves on, counting lines.
    void move_to(std::size_t to) {
        line_ += static_cast<int>(std::count(source_.begin() + static_cast<long>(at_),
                                             source_.begin() + static_cast<long>(to), '\n'));
        line_starting_ = to > at_ ? source_[to - 1] == '\n' : line_starting_;
        at_ = to;
    }

    std::size_t after_space(std::size_t at) const {
        auto rest = std::string_view(source_).substr(at);
        return source_.size() - strip_left(rest).size();
    }

    // Text up to a tag at `tag`, cut as the tag's sign asks; `lstrip`: not a tag that prints.
    void data(std::size_t tag, char sign, bool lstrip) {
        std::string_view text = std::string_view(source_).substr(at_, tag - at_);
        if (sign == '-') {
            text = strip_right(text);
        } else if (sign != '+' && lstrip) {
            std::size_t last_line = text.rfind('\n') + 1;
            if ((last_line > 0 || line_starting_) && strip_left(text.substr(last_line)).empty())
                text = text.substr(0, last_line);
        }
        if (!text.empty()) put(Type::Data, std::string(text));
        move_to(tag);
    }

    char sign_at(std::size_t at) const {
        return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : 0;
    }

    // The end of a tag's closing at `at`: "%}" or "#}" with its sign and the white space it eats.
    // 0 if it is not there.
    std::size_t closing(std::size_t at, std::string_view close, bool trim, bool plus) const {
        if (at < source_.size() && source_[at] == '-' && at_text(close, at + 1))
            return after_space(at + 1 + close.size());
        if (plus && at < source_.size() && source_[at] == '+' && at_text(close, at + 1))
            return at + 1 + close.size();
        if (!at_text(close, at)) return 0;
        at += close.size();
        return trim && at_text("\n", at) ? at + 1 : at;
    }

    void root() {
        std::size_t tag = at_;
        while ((tag = source_.find('{', tag)) != source_.npos) {
            char next = tag + 1 < source_.size() ? source_[tag + 1] : 0;
            if (next == '{' || next == '%' || next == '#') break;
            ++tag;
        }
        if (tag == source_.npos) {
            put(Type::Data, source_.substr(at_));
            move_to(source_.size());
            return;
        }
        char kind = source_[tag + 1], sign = sign_at(tag + 2);
        data(tag, sign, kind != '{');
        std::size_t inside = tag + (sign ? 3 : 2);
        if (kind == '#') return comment(inside);
        if (kind == '%') {
            if (std::size_t body = raw_begin(inside)) return raw(body);
        }
        put(kind == '%' ? Type::BlockBegin : Type::VariableBegin, "");
        move_to(inside);
        code(kind == '%');
    }

    void comment(std::size_t inside) {
        std::size_t at = source_.find("#}", inside);
        if (at == source_.npos) fail("Missing end of comment tag");
        if (at > inside && sign_at(at - 1)) --at;
        move_to(closing(at, "#}", true, true));
    }

    // Where the text of {% raw %} begins, 0 if this is another tag.
    std::size_t raw_begin(std::size_t at) const {
        at = after_space(at);
        if (!at_text("raw", at)) return 0;
        return closing(after_space(at + 3), "%}", false, false);
    }

    void raw(std::size_t body) {
        move_to(body);
        for (std::size_t at = body; (at = source_.find("{%", at)) != source_.npos; at += 2) {
            char sign = sign_at(at + 2);
            std::size_t word = after_space(at + (sign ? 3 : 2));
            if (!at_text("endraw", word)) continue;
            std::size_t end = closing(after_space(word + 6), "%}", true, true);
            if (!end) continue;
            data(at, sign, true);
            return move_to(end);
        }
        fail("Missing end of raw directive");
    }

    void code(bool block) {
        std::vector<char> open;
        while (at_ < source_.size()) {
            if (open.empty()) {
                std::size_t end =
                    block ? closing(at_, "%}", true, true) : closing(at_, "}}", false, false);
                if (end) {
                    put(block ? Type::BlockEnd : Type::VariableEnd, "");
                    return move_to(end);
                }
            }
            if (std::size_t next = after_space(at_); next != at_)
                move_to(next);
            else if (ascii_digit(source_[at_]))
                number();
            else if (name_character(source_, at_))
                name();
            else if (source_[at_] == '\'' || source_[at_] == '"')
                string();
            else
                operation(open);
        }
    }

    void name() {
        std::size_t end = at_;
        while (end < source_.size() && name_character(source_, end)) next_code_point(source_, end);
        put(Type::Name, source_.substr(at_, end - at_));
        move_to(end);
    }

    std::size_t digits(std::size_t at, std::string_view allowed = "0123456789") const {
        while (at < source_.size()) {
            bool joint = source_[at] == '_' && at + 1 < source_.size() &&
                         allowed.find(source_[at + 1]) != allowed.npos;
            if (!joint && allowed.find(source_[at]) == allowed.npos) break;
            ++at;
        }
        return at;
    }

    void number() {
        if (source_[at_] == '0' && at_ + 1 < source_.size()) switch (source_[at_ + 1] | 0x20) {
            case 'x':
                return based(16, "0123456789abcdefABCDEF");
            case 'o':
                return based(8, "01234567");
            case 'b':
                return based(2, "01");
            default:
                break;
            }
        std::size_t end = digits(at_);
        bool real = false;
        if (at_text(".", end) && end + 1 < source_.size() && ascii_digit(source_[end + 1])) {
            // After a dot, as in a.0.1, the digits are an index.
            bool index = at_ > 0 && source_[at_ - 1] == '.';
            if (!index) {
                end = digits(end + 1);
                real = true;
            }
        }
        if (end < source_.size() && (source_[end] | 0x20) == 'e') {
            std::size_t power = end + 1 + (sign_at(end + 1) ? 1 : 0);
            if (power < source_.size() && ascii_digit(source_[power])) {
                end = digits(power);
                real = true;
            }
        }
        std::string text = source_.substr(at_, end - at_);
        std::erase(text, '_');
        put(real ? Type::Float : Type::Integer, std::move(text));
        move_to(end);
    }

    void based(int base, std::string_view allowed) {
        std::size_t end = digits(at_ + 2, allowed);
        std::string text = source_.substr(at_ + 2, end - at_ - 2);
        std::erase(text, '_');
        std::int64_t value = 0;
        auto [last, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
        if (text.empty() || problem != std::errc() || last != text.data() + text.size())
            fail("a number that cannot be read");
        put(Type::Integer, fmt::format("{}", value));
        move_to(end);
    }

    void string() {
        char quote = source_[at_];
        std::string value;
        std::size_t at = at_ + 1;
        while (at < source_.size() && source_[at] != quote) {
            if (source_[at] == '\\' && at + 1 < source_.size())
                at = escape(value, at + 1);
            else
                value += source_[at++];
        }
        if (at >= source_.size()) fail("a string without its closing quote");
        put(Type::String, std::move(value));
        move_to(at + 1);
    }

    // Python's escapes, `at` is behind the backslash; an unknown one keeps its backslash.
    std::size_t escape(std::string& value, std::size_t at) const {
        char c = source_[at];
        constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
        if (std::size_t i = kFrom.find(c); i != kFrom.npos) {
            value += kTo[i];
            return at + 1;
        }
        if (c == '\n') return at + 1;
        if (c >= '0' && c <= '7') return coded(value, at, 3, 8, true);
        if (c == 'x') return coded(value, at + 1, 2, 16, false);
        if (c == 'u') return coded(value, at + 1, 4, 16, false);
        if (c == 'U') return coded(value, at + 1, 8, 16, false);
        value += '\\';
        return at;
    }

    std::size_t coded(std::string& value, std::size_t at, std::size_t most, int base,
                      bool fewer) const {
        unsigned code = 0;
        const char* from = source_.data() + at;
        const char* to = from + std::min(most, source_.size() - at);
        auto [end, problem] = std::from_chars(from, to, code, base);
        bool complete = fewer || end == from + most;
        bool character = code < 0xd800 || (code > 0xdfff && code <= 0x10ffff);
        if (problem != std::errc() || !complete || !character)
            fail("an escape in a string that names no character");
        append_utf8(value, code);
        return at + static_cast<std::size_t>(end - from);
    }

    void operation(std::vector<char>& open) {
        static constexpr std::array<std::string_view, 25> kOperators = {
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
            "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ","};
        auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                  [&](std::string_view text) { return at_text(text, at_); });
        if (found == kOperators.end())
            fail(fmt::format("unexpected char {}",
                             quoted(characters(std::string_view(source_).substr(at_, 4))[0])));
        char c = (*found)[0];
        if (c == '(' || c == '[' || c == '{') {
            open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
        } else if (c == ')' || c == ']' || c == '}') {
            if (open.empty()) fail(fmt::format("unexpected '{}'", c));
            if (open.back() != c)
                fail(fmt::format("unexpected '{}', expected '{}'", c, open.back()));
            open.pop_back();
        }
        put(Type::Operator, std::string(*found));
        move_to(at_ + found->size());
    }

    std::string source_;
    std::size_t at_ = 0;
    int line_ = 1;
    bool line_starting_ = true;
    std::vector<Token> tokens_;
};

} // namespace

std::vector<Token> tokenize(std::string_view source) {
    return Lexer(normalized(source)).run();
}

} // namespace assay::engine::jinja
