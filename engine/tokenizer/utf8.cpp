#include "tokenizer/utf8.h"

namespace assay::engine {

namespace {

struct Sequence {
    std::size_t length; // of the character, or of the part of one
    enum { Whole, Cut, Broken } state;
};

// Table 3-7 of the Unicode standard: the second byte alone has narrower bounds.
Sequence sequence(std::string_view s) {
    auto first = static_cast<unsigned char>(s[0]);
    if (first < 0x80) return {1, Sequence::Whole};
    if (first < 0xC2 || first > 0xF4) return {1, Sequence::Broken};
    std::size_t need = utf8_length(s[0]);
    unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    for (std::size_t i = 1; i < need; ++i) {
        if (i == s.size()) return {i, Sequence::Cut};
        auto byte = static_cast<unsigned char>(s[i]);
        if (byte < low || byte > high) return {i, Sequence::Broken};
        low = 0x80;
        high = 0xBF;
    }
    return {need, Sequence::Whole};
}

} // namespace

void utf8_append(std::string& out, char32_t c) {
    auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | c >> 6);
        tail(0);
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | c >> 12);
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0 | c >> 18);
        tail(12);
        tail(6);
        tail(0);
    }
}

std::size_t utf8_fault(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        Sequence next = sequence(bytes.substr(at));
        if (next.state != Sequence::Whole) return at;
        at += next.length;
    }
    return std::string_view::npos;
}

void utf8_drain(std::string& bytes, std::string& out) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        std::string_view rest = std::string_view(bytes).substr(at);
        Sequence next = sequence(rest);
        if (next.state == Sequence::Cut) break;
        out += next.state == Sequence::Whole ? rest.substr(0, next.length) : "\xEF\xBF\xBD";
        at += next.length;
    }
    bytes.erase(0, at);
}

} // namespace assay::engine
