#include "tokenizer/characters.h"

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace assay::engine {

namespace {

constexpr std::size_t kCodePoints = 0x110000;

// For each character, what it may do beside others.
enum Trait : std::uint8_t {
    kUneasy = 1,  // NFC may change it, move it or join it with what stands before it
    kBarrier = 2, // an unknown mark
    kNewer = 4,   // than PCRE2 may know
};

constexpr auto kDecompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
constexpr auto kCompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);

void decompose(char32_t c, std::vector<utf8proc_int32_t>& out) {
    utf8proc_int32_t buffer[32]; // the longest canonical decomposition has four
    int boundary = 0;
    auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32, kDecompose,
                                         &boundary);
    out.insert(out.end(), buffer, buffer + count);
}

int combining_class(utf8proc_int32_t c) {
    return utf8proc_get_property(c)->combining_class;
}

// Sorts runs of marks by their class, then joins. utf8proc's own sorting is quadratic.
void compose(std::vector<utf8proc_int32_t>& text) {
    auto starter = [](utf8proc_int32_t c) { return combining_class(c) == 0; };
    for (auto at = text.begin(); at != text.end();) {
        auto end = std::find_if(at, text.end(), starter);
        std::stable_sort(at, end,
                         [](auto a, auto b) { return combining_class(a) < combining_class(b); });
        at = std::find_if_not(end, text.end(), starter);
    }
    auto size =
        utf8proc_normalize_utf32(text.data(), static_cast<utf8proc_ssize_t>(text.size()), kCompose);
    text.resize(static_cast<std::size_t>(size));
}

std::vector<std::uint8_t> make_traits() {
    std::vector<std::uint8_t> traits(kCodePoints);
    std::vector<utf8proc_int32_t> parts;
    for (char32_t c = 0x80; c < kCodePoints; ++c) {
        const utf8proc_property_t& property =
            *utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
        if (property.combining_class != 0) traits[c] = kUneasy;
        // Hangul syllables decompose by arithmetic and are none of these.
        if (property.decomp_type != 0 || property.decomp_seqindex == UINT16_MAX) continue;
        parts.clear();
        decompose(c, parts);
        for (std::size_t i = 1; i < parts.size(); ++i)
            traits[static_cast<std::size_t>(parts[i])] |= kUneasy;
        compose(parts);
        if (parts.size() != 1 || static_cast<char32_t>(parts[0]) != c) traits[c] |= kUneasy;
    }
    for (char32_t c = 0x1161; c <= 0x1175; ++c) traits[c] |= kUneasy; // vowels of Hangul
    for (char32_t c = 0x11A8; c <= 0x11C2; ++c) traits[c] |= kUneasy; // last consonants
    for (const MarkRange& range : kUnknownMarks)
        for (char32_t c = range.first; c <= range.last; ++c) traits[c] = kBarrier;
    for (const NewerRange& range : kNewerCharacters)
        for (char32_t c = range.first; c <= range.last; ++c) traits[c] |= kNewer;
    return traits;
}

const std::vector<std::uint8_t>& traits() {
    static const std::vector<std::uint8_t> table = make_traits();
    return table;
}

// The first character at or behind `at` that has one of the traits, or the end.
std::size_t find_trait(std::string_view text, std::size_t at, unsigned wanted) {
    const std::uint8_t* table = traits().data();
    while (at < text.size()) {
        std::uint64_t eight = 0;
        if (at + 8 <= text.size()) {
            std::memcpy(&eight, text.data() + at, 8);
            if ((eight & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        std::size_t next = at;
        if ((table[utf8_next(text, next)] & wanted) != 0) return at;
        at = next;
    }
    return at;
}

char32_t older(char32_t c) {
    for (const NewerRange& range : kNewerCharacters)
        if (c >= range.first && c <= range.last) return range.older;
    return c;
}

std::size_t previous(std::string_view text, std::size_t at) {
    do {
        --at;
    } while ((text[at] & 0xC0) == 0x80);
    return at;
}

} // namespace

std::string_view to_nfc(std::string_view text, std::string& storage) {
    std::size_t found = find_trait(text, 0, kUneasy);
    if (found == text.size()) return text;
    storage.clear();
    std::vector<utf8proc_int32_t> part;
    std::size_t done = 0;
    while (found < text.size()) {
        // From the base character before it to the next easy one.
        std::size_t begin = found;
        if (found > done) {
            std::size_t before = previous(text, found), at = before;
            if ((traits()[utf8_next(text, at)] & kBarrier) == 0) begin = before;
        }
        storage.append(text.substr(done, begin - done));
        part.clear();
        std::size_t at = begin;
        while (at < text.size()) {
            std::size_t next = at;
            char32_t c = utf8_next(text, next);
            if (at > begin && (traits()[c] & kUneasy) == 0) break;
            decompose(c, part);
            at = next;
        }
        compose(part);
        for (utf8proc_int32_t c : part) utf8_append(storage, static_cast<char32_t>(c));
        done = at;
        found = find_trait(text, done, kUneasy);
    }
    storage.append(text.substr(done));
    return storage;
}

std::string_view with_older_characters(std::string_view text, std::string& storage) {
    std::size_t found = find_trait(text, 0, kNewer);
    if (found == text.size()) return text;
    storage.clear();
    std::size_t done = 0;
    while (found < text.size()) {
        storage.append(text.substr(done, found - done));
        done = found;
        utf8_append(storage, older(utf8_next(text, done)));
        found = find_trait(text, done, kNewer);
    }
    storage.append(text.substr(done));
    return storage;
}

bool is_space(char32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

bool is_word_character(char32_t c) {
    // Letters in circles and squares are alphabetic, but of category So.
    if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
        (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189))
        return true;
    if (c == 0x200C || c == 0x200D) return true; // joiners
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(older(c)))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}

} // namespace assay::engine
