// Expressions of tokenizer.json are written for Oniguruma. Those that split text for byte-level BPE
// use little of it; this gives the same expression for PCRE2, and refuses by name what PCRE2 would
// read otherwise.
#pragma once

#include <string>
#include <string_view>

namespace assay::engine {

// `where` is file and key. Throws Error(Unsupported).
std::string pcre_expression(std::string_view oniguruma, const std::string& where);
std::string pcre_literal(std::string_view text);

} // namespace assay::engine
