// What the tokenizer asks of Unicode, as the `tokenizers` library sees it. Three versions meet: its
// expressions know Unicode 16, its NFC only Unicode 9, and PCRE2 and utf8proc are as old as the
// system. The tables behind this make up the difference.
#pragma once

#include <string>
#include <string_view>

namespace assay::engine {

// The text in NFC, or `text` itself if it is so already; `storage` keeps what is made. A mark that
// Unicode 9 did not know stays where it is, and nothing moves across it.
std::string_view to_nfc(std::string_view text, std::string& storage);

// Categories of the same length in bytes: characters that came with Unicode 15 and 16 are replaced
// by older ones of their category, for PCRE2. `text` itself if there is none.
std::string_view with_older_characters(std::string_view text, std::string& storage);

bool is_space(char32_t c);          // White_Space
bool is_word_character(char32_t c); // \w of Unicode's expressions, UTS 18 annex C

} // namespace assay::engine
