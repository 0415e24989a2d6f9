// UTF-8 for the tokenizer: reading text that is known to be valid, and repairing what is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay::engine {

// Bytes of the character that begins with this byte, in valid text.
inline std::size_t utf8_length(char first) {
    auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character at `at`, which is moved behind it. The text is valid and does not end there.
inline char32_t utf8_next(std::string_view text, std::size_t& at) {
    auto byte = [&](std::size_t i) -> char32_t { return static_cast<unsigned char>(text[at + i]); };
    std::size_t length = utf8_length(text[at]);
    char32_t c = byte(0);
    if (length == 2) c = (c & 0x1F) << 6 | (byte(1) & 0x3F);
    if (length == 3) c = (c & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    if (length == 4)
        c = (c & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    at += length;
    return c;
}

void utf8_append(std::string& out, char32_t c);

// The first byte that belongs to no character, or npos.
std::size_t utf8_fault(std::string_view bytes);

// Moves `bytes` to the end of `out`, with one U+FFFD for every longest piece that could have begun
// a character (Unicode 3.9, "maximal subpart"; so do Rust and browsers). What may yet become a
// character stays in `bytes`.
void utf8_drain(std::string& bytes, std::string& out);

} // namespace assay::engine
