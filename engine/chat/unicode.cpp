#include "chat/unicode.h"

#include <utf8proc.h>

namespace assay::engine::jinja {

namespace {

bool contains(const std::string& set, char32_t wanted) {
    for (std::size_t at = 0; at < set.size();)
        if (next_code_point(set, at) == wanted) return true;
    return false;
}

bool stripped(char32_t c, const std::string* set) {
    return set ? contains(*set, c) : is_space(c);
}

utf8proc_category_t category(char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

template<class Map>
std::string mapped(std::string_view text, Map map) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) map(out, next_code_point(text, at));
    return out;
}

void append_upper(std::string& out, char32_t c) {
    if (c == U'ß')
        out += "SS";
    else
        append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<int>(c))));
}

void append_lower(std::string& out, char32_t c) {
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<int>(c))));
}

} // namespace

char32_t next_code_point(std::string_view text, std::size_t& at) {
    auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    unsigned first = byte(at);
    if (first < 0x80) {
        at += 1;
        return first;
    }
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    char32_t c = first & (0x3fu >> more);
    for (int i = 1; i <= more; ++i) c = c << 6 | (byte(at + static_cast<std::size_t>(i)) & 0x3fu);
    at += static_cast<std::size_t>(more) + 1;
    if (at > text.size()) at = text.size();
    return c;
}

void append_utf8(std::string& out, char32_t c) {
    auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
        put(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            put(0xe0 | c >> 12);
        } else {
            put(0xf0 | c >> 18);
            put(0x80 | (c >> 12 & 0x3f));
        }
        put(0x80 | (c >> 6 & 0x3f));
    }
    put(0x80 | (c & 0x3f));
}

std::size_t count_code_points(std::string_view text) {
    std::size_t count = 0;
    for (char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return count;
}

std::vector<std::string_view> characters(std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t start = at;
        next_code_point(text, at);
        out.push_back(text.substr(start, at - start));
    }
    return out;
}

std::size_t byte_offset(std::string_view text, std::size_t index) {
    std::size_t at = 0;
    for (; index > 0 && at < text.size(); --index) next_code_point(text, at);
    return at;
}

bool is_space(char32_t c) {
    if (c <= 0x20) return c == 0x20 || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_printable(char32_t c) {
    if (c < 0x7f) return c >= 0x20;
    switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

bool is_letter(char32_t c) {
    auto found = category(c);
    return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t c) {
    return category(c) == UTF8PROC_CATEGORY_ND;
}

bool is_upper(char32_t c) {
    return category(c) == UTF8PROC_CATEGORY_LU;
}

bool is_lower(char32_t c) {
    return category(c) == UTF8PROC_CATEGORY_LL;
}

std::string to_upper(std::string_view text) {
    return mapped(text, append_upper);
}

std::string to_lower(std::string_view text) {
    return mapped(text, append_lower);
}

std::string capitalize(std::string_view text) {
    std::size_t first = byte_offset(text, 1);
    return to_upper(text.substr(0, first)) + to_lower(text.substr(first));
}

std::string_view strip_left(std::string_view text, const std::string* set) {
    for (std::size_t at = 0; at < text.size();) {
        std::size_t start = at;
        if (!stripped(next_code_point(text, at), set)) return text.substr(start);
    }
    return {};
}

std::string_view strip_right(std::string_view text, const std::string* set) {
    while (!text.empty()) {
        std::size_t start = text.size() - 1;
        while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) --start;
        std::size_t at = start;
        if (!stripped(next_code_point(text, at), set)) break;
        text = text.substr(0, start);
    }
    return text;
}

} // namespace assay::engine::jinja
