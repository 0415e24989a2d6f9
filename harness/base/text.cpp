#include "assay/base/text.h"

#include <cctype>
#include <cstdint>
#include <cstdio>

namespace assay {

namespace {
// Length of the valid sequence at `at`, or 0.
std::size_t sequence(std::string_view s, std::size_t at) {
    auto byte = [&](std::size_t i) -> unsigned {
        return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u;
    };
    auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    unsigned b = byte(at);
    if (b < 0x80) return 1;
    if (b >= 0xC2 && b <= 0xDF) return tail(at + 1) ? 2 : 0;
    if (b >= 0xE0 && b <= 0xEF) {
        unsigned second = byte(at + 1);
        bool ok = tail(at + 1) && tail(at + 2) && !(b == 0xE0 && second < 0xA0) &&
                  !(b == 0xED && second > 0x9F);
        return ok ? 3 : 0;
    }
    if (b >= 0xF0 && b <= 0xF4) {
        unsigned second = byte(at + 1);
        bool ok = tail(at + 1) && tail(at + 2) && tail(at + 3) && !(b == 0xF0 && second < 0x90) &&
                  !(b == 0xF4 && second > 0x8F);
        return ok ? 4 : 0;
    }
    return 0;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
} // namespace

std::string utf8_clean(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (std::size_t i = 0; i < bytes.size();) {
        std::size_t n = sequence(bytes, i);
        if (n == 0) {
            out += "\xEF\xBF\xBD";
            ++i;
        } else {
            out.append(bytes.substr(i, n));
            i += n;
        }
    }
    return out;
}

bool utf8_valid(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        std::size_t n = sequence(bytes, i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

std::size_t utf8_floor(std::string_view text, std::size_t at) {
    if (at > text.size()) at = text.size();
    // A boundary has no continuation byte after it and no unfinished sequence before it.
    for (std::size_t back = 0; back < 4 && back <= at; ++back) {
        std::size_t start = at - back;
        if (start == at) {
            if (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
                continue;
            if (start == text.size() && start > 0) {
                std::size_t lead = start - 1, steps = 0;
                while (lead > 0 && steps < 3 &&
                       (static_cast<unsigned char>(text[lead]) & 0xC0) == 0x80) {
                    --lead;
                    ++steps;
                }
                std::size_t n = sequence(text, lead);
                bool lead_byte = static_cast<unsigned char>(text[lead]) >= 0xC0;
                if (lead_byte && n == 0) return lead;
            }
            return start;
        }
        if ((static_cast<unsigned char>(text[start]) & 0xC0) != 0x80) return start;
    }
    return at;
}

std::size_t utf8_ceil(std::string_view text, std::size_t at) {
    std::size_t limit = at + 4;
    while (at < text.size() && at < limit && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
        ++at;
    return at < text.size() ? at : text.size();
}

std::string_view trim(std::string_view text) {
    auto blank = [](char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
    };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        std::size_t at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        std::size_t at = text.find('\n');
        std::string_view line = text.substr(0, at);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        out.push_back(line);
        if (at == std::string_view::npos) break;
        text.remove_prefix(at + 1);
    }
    return out;
}

bool equals_nocase(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && equals_nocase(text.substr(0, prefix.size()), prefix);
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = lower(c);
    return out;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    if (from.empty()) return text;
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

namespace {
// Matches one bracket expression at pattern[p] == '['; sets `next` behind it. False also if
// malformed.
bool match_bracket(std::string_view pattern, std::size_t p, char c, std::size_t& next) {
    std::size_t i = p + 1;
    bool negate = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    if (negate) ++i;
    bool hit = false, first = true;
    for (; i < pattern.size() && (first || pattern[i] != ']'); ++i) {
        first = false;
        char from = pattern[i], to = from;
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            to = pattern[i + 2];
            i += 2;
        }
        hit = hit || (from <= c && c <= to);
    }
    if (i >= pattern.size()) { // no closing bracket: a literal '['
        next = p + 1;
        return c == '[';
    }
    next = i + 1;
    return hit != negate;
}
} // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
    while (t < text.size()) {
        std::size_t next = p + 1;
        bool ok = false;
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            mark = t;
            continue;
        }
        if (p < pattern.size()) {
            if (pattern[p] == '?')
                ok = true;
            else if (pattern[p] == '[')
                ok = match_bracket(pattern, p, text[t], next);
            else
                ok = pattern[p] == text[t];
        }
        if (ok) {
            p = next;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::string json_quote(std::string_view text) {
    std::string cleaned;
    if (!utf8_valid(text)) {
        cleaned = utf8_clean(text);
        text = cleaned;
    }
    std::string out;
    out.reserve(text.size() + 2);
    out += '"';
    for (char c : text) {
        switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            if (static_cast<unsigned char>(c) < 0x20) {
                char code[8];
                std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
                out += code;
            } else {
                out += c;
            }
        }
    }
    out += '"';
    return out;
}

std::string shell_quote(std::string_view word) {
    bool plain = !word.empty();
    for (char c : word)
        plain = plain && (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                          std::string_view("_-./=:,@%+").find(c) != std::string_view::npos);
    if (plain) return std::string(word);
    return "'" + replace_all(std::string(word), "'", "'\\''") + "'";
}

std::string format_bytes(double bytes) {
    static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 4) {
        bytes /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text;
}

std::string format_seconds(double s) {
    char text[48];
    if (s < 1e-3)
        std::snprintf(text, sizeof text, "%.1f us", s * 1e6);
    else if (s < 1)
        std::snprintf(text, sizeof text, "%.1f ms", s * 1e3);
    else if (s < 60)
        std::snprintf(text, sizeof text, "%.1f s", s);
    else if (s < 3600)
        std::snprintf(text, sizeof text, "%d min %d s", static_cast<int>(s / 60),
                      static_cast<int>(s) % 60);
    else
        std::snprintf(text, sizeof text, "%d h %d min", static_cast<int>(s / 3600),
                      static_cast<int>(s / 60) % 60);
    return text;
}

} // namespace assay
