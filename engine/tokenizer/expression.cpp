#include "tokenizer/expression.h"

#include "assay/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace assay::engine {

namespace {

// White_Space, without brackets. PCRE2's own \s also has U+180E.
constexpr std::string_view kSpace = R"(\t-\r\x{85}\p{Z})";
constexpr std::string_view kCategories[] = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N",  "Nd", "Nl", "No", "P", "Pc",
    "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp"};

class Translator {
  public:
    Translator(std::string_view text, const std::string& where)
        : text_(text)
        , where_(where) {}

    std::string run() {
        while (at_ < text_.size()) {
            char c = text_[at_];
            if (c == '\\') {
                escape(false);
            } else if (c == '[') {
                bracket();
            } else if (c == '(') {
                group();
            } else if (c == '{') {
                repeat();
            } else if (c == '^' || c == '$' || c == '.') {
                refuse(1);
            } else {
                copy(1);
            }
        }
        return std::move(out_);
    }

  private:
    [[noreturn]] void refuse(std::size_t length) const {
        throw Error(ErrorKind::Unsupported,
                    fmt::format("{}: '{}' at byte {} of the expression is not supported", where_,
                                text_.substr(at_, length), at_));
    }
    bool next_is(std::string_view what) const { return text_.substr(at_).starts_with(what); }
    void copy(std::size_t length) {
        out_ += text_.substr(at_, length);
        at_ += length;
    }
    void replace(std::size_t length, std::string_view with) {
        out_ += with;
        at_ += length;
    }

    void escape(bool in_bracket) {
        char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        auto byte = static_cast<unsigned char>(c);
        if (c == 's') return replace(2, in_bracket ? kSpace : fmt::format("[{}]", kSpace));
        if (c == 'S' && !in_bracket) return replace(2, fmt::format("[^{}]", kSpace));
        if (c == 'd') return replace(2, R"(\p{Nd})");
        if (c == 'r' || c == 'n' || c == 't' || c == 'f') return copy(2);
        if (c == 'p' || c == 'P') return property();
        if (c == 'x' && next_is("\\x{")) return code(3, "}");
        if (c == 'u') return code(2, "");
        if (byte > 0x20 && byte < 0x7F && std::isalnum(byte) == 0) return copy(2);
        refuse(2);
    }

    void property() {
        std::size_t end = text_.find('}', at_);
        if (end == text_.npos || text_.substr(at_ + 2, 1) != "{") refuse(2);
        std::string_view name = text_.substr(at_ + 3, end - at_ - 3);
        if (std::find(std::begin(kCategories), std::end(kCategories), name) ==
            std::end(kCategories))
            refuse(end + 1 - at_);
        copy(end + 1 - at_);
    }

    // \x{1F600} or \u4E00, `digits` behind the backslash
    void code(std::size_t digits, std::string_view end) {
        std::size_t count = 0;
        auto digit = [&] {
            std::size_t i = at_ + digits + count;
            return i < text_.size() && std::isxdigit(static_cast<unsigned char>(text_[i])) != 0;
        };
        while (count < (end.empty() ? 4 : 6) && digit()) ++count;
        if (count == 0 || (end.empty() && count != 4) ||
            !text_.substr(at_ + digits + count).starts_with(end))
            refuse(digits);
        std::string hex(text_.substr(at_ + digits, count));
        replace(digits + count + end.size(), "\\x{" + hex + "}");
    }

    void bracket() {
        copy(next_is("[^") ? 2 : 1);
        for (std::size_t begin = at_;;) {
            if (at_ == text_.size())
                throw Error(ErrorKind::Input, where_ + ": the expression has a '[' without ']'");
            char c = text_[at_];
            if (c == ']' && at_ != begin) break;
            // Sets inside sets, and what they have in common, are Oniguruma's alone.
            if (c == '[' || c == ']' || next_is("&&")) refuse(next_is("&&") ? 2 : 1);
            if (c == '\\') {
                escape(true);
            } else {
                copy(1);
            }
        }
        copy(1);
    }

    void group() {
        for (std::string_view open : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"})
            if (next_is(open)) return copy(open.size());
        if (next_is("(?") || next_is("(*")) refuse(3);
        replace(1, "(?:");
    }

    // {n}, {n,} and {n,m}; a '?' or '+' behind them means one thing here and another there
    void repeat() {
        std::size_t end = text_.find('}', at_);
        std::string_view inside = end == text_.npos ? "" : text_.substr(at_ + 1, end - at_ - 1);
        bool numbers = !inside.empty() && inside[0] != ',' &&
                       std::count(inside.begin(), inside.end(), ',') <= 1 &&
                       inside.find_first_not_of("0123456789,") == inside.npos;
        if (!numbers) refuse(1);
        std::string_view behind = text_.substr(end + 1, 1);
        if (behind == "?" || behind == "+") refuse(end + 2 - at_);
        copy(end + 1 - at_);
    }

    std::string_view text_;
    const std::string& where_;
    std::size_t at_ = 0;
    std::string out_;
};

} // namespace

std::string pcre_expression(std::string_view oniguruma, const std::string& where) {
    return Translator(oniguruma, where).run();
}

std::string pcre_literal(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (std::ispunct(static_cast<unsigned char>(c)) != 0) out += '\\';
        out += c;
    }
    return out;
}

} // namespace assay::engine
