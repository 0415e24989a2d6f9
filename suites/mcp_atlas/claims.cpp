#include "claims.h"

#include "assay/base/json.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace assay::atlas {

using Json = nlohmann::json;

namespace {

constexpr std::size_t kShortest = 4; // characters of a claim

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Length of a bullet ("- ", "* ", "• ") or number ("1. ", "2) ") in front; 0: none.
std::size_t marker(std::string_view text) {
    std::size_t end = 0;
    if (text.starts_with("\u2022")) {
        end = 3;
    } else if (text.starts_with("-") || text.starts_with("*")) {
        end = 1;
    } else {
        while (end < text.size() && is_digit(text[end])) ++end;
        bool closed = end > 0 && end < text.size() && (text[end] == '.' || text[end] == ')');
        if (!closed) return 0;
        ++end;
    }
    // "4.25 is the mean" begins with a number that belongs to the claim.
    if (end == text.size() || (text[end] != ' ' && text[end] != '\t')) return 0;
    while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
    return end;
}

void append_utf8(std::string& out, std::uint32_t point) {
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xc0 | (point >> 6));
        out += static_cast<char>(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        out += static_cast<char>(0xe0 | (point >> 12));
        out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (point & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (point >> 18));
        out += static_cast<char>(0x80 | ((point >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (point & 0x3f));
    }
}

class PythonList {
  public:
    explicit PythonList(std::string_view text)
        : text_(trim(text)) {}

    std::optional<std::vector<std::string>> parse() {
        if (text_.empty() || (text_[0] != '[' && text_[0] != '(')) return std::nullopt;
        const char close = text_[0] == '[' ? ']' : ')';
        ++at_;
        std::vector<std::string> out;
        for (;;) {
            blanks();
            if (take(close)) break;
            auto one = strings();
            if (!one) return std::nullopt;
            out.push_back(std::move(*one));
            blanks();
            if (take(',')) continue;
            if (take(close)) break;
            return std::nullopt;
        }
        blanks();
        if (at_ != text_.size()) return std::nullopt;
        return out;
    }

  private:
    void blanks() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    }
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    // Adjacent literals are one string.
    std::optional<std::string> strings() {
        std::optional<std::string> out;
        for (;;) {
            blanks();
            bool quote = at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"');
            if (!quote) return out;
            std::string piece;
            if (!literal(piece)) return std::nullopt;
            out = out.value_or("") + piece;
        }
    }
    bool literal(std::string& out) {
        const char quote = text_[at_++];
        while (at_ < text_.size() && text_[at_] != quote) {
            char c = text_[at_++];
            if (c != '\\') {
                out += c;
            } else if (!escape(out)) {
                return false;
            }
        }
        return take(quote);
    }
    bool escape(std::string& out) {
        if (at_ >= text_.size()) return false;
        char c = text_[at_++];
        switch (c) {
        case 'n':
            out += '\n';
            return true;
        case 't':
            out += '\t';
            return true;
        case 'r':
            out += '\r';
            return true;
        case '\n':
            return true;
        case '\\':
        case '\'':
        case '"':
            out += c;
            return true;
        case 'x':
            return hex(2, out);
        case 'u':
            return hex(4, out);
        case 'U':
            return hex(8, out);
        default:
            out += '\\';
            out += c;
            return true; // Python keeps the backslash
        }
    }
    bool hex(std::size_t digits, std::string& out) {
        std::string_view word = text_.substr(at_, digits);
        if (word.size() != digits) return false;
        std::uint32_t point = 0;
        for (char c : word) {
            int value = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
            if (value < 0) return false;
            point = point * 16 + static_cast<std::uint32_t>(value);
        }
        if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
        at_ += digits;
        append_utf8(out, point);
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

std::optional<std::vector<std::string>> parse_json_list(std::string_view text) {
    Json json = parse_json<Json>(text);
    if (!json.is_array()) return std::nullopt;
    std::vector<std::string> out;
    for (const Json& one : json) {
        if (one.is_structured()) continue; // a claim is a sentence
        out.push_back(one.is_string() ? one.get<std::string>() : one.dump());
    }
    return out;
}

// At "||", at ';', and before a bullet or number that begins a line.
std::vector<std::string> split_loosely(std::string_view text) {
    std::vector<std::string> out(1);
    for (std::string_view line : split_lines(text)) {
        std::string_view rest = line;
        while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
        if (marker(rest) > 0 && !trim(out.back()).empty()) out.emplace_back();
        if (!out.back().empty()) out.back() += '\n';
        for (std::size_t i = 0; i < line.size(); ++i) {
            bool bars = line.substr(i, 2) == "||";
            if (bars || line[i] == ';') {
                i += bars ? 1 : 0;
                out.emplace_back();
            } else {
                out.back() += line[i];
            }
        }
    }
    std::erase_if(out, [](const std::string& one) { return trim(one).empty(); });
    return out;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

} // namespace

std::optional<std::vector<std::string>> parse_python_list(std::string_view text) {
    return PythonList(text).parse();
}

std::string clean_claim(std::string_view text) {
    static constexpr std::array<std::pair<const char*, const char*>, 7> kPlain = {{
        {"\u201c", "\""},
        {"\u201d", "\""},
        {"\u2018", "'"},
        {"\u2019", "'"},
        {"\u2013", "-"},
        {"\u2014", "-"},
        {"\u2026", "..."},
    }};
    text = trim(text);
    text.remove_prefix(marker(text));
    std::string out = utf8_clean(text);
    for (const auto& [curly, plain] : kPlain) out = replace_all(std::move(out), curly, plain);
    while (!out.empty() && (out.back() == '"' || out.back() == '\'')) out.pop_back();
    return std::string(trim(out));
}

std::vector<std::string> parse_claims(std::string_view text) {
    std::vector<std::string> raw;
    if (auto json = parse_json_list(text)) {
        raw = std::move(*json);
    } else if (auto python = parse_python_list(text)) {
        raw = std::move(*python);
    } else {
        raw = split_loosely(text);
        if (raw.size() < 2) {
            raw.clear();
            for (std::string_view line : split_lines(text)) raw.emplace_back(line);
        }
    }
    std::vector<std::string> out;
    for (const std::string& one : raw) {
        std::string claim = clean_claim(one);
        if (characters(claim) >= kShortest) out.push_back(std::move(claim));
    }
    return out;
}

} // namespace assay::atlas
