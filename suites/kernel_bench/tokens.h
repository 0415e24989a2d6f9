// C++ source without comments, for looking at what an answer names. Signals only: the guards are
// elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::kernel_bench {

struct Token {
    enum class Kind { Word, Number, Text, Symbol, Include } kind = Kind::Symbol;
    std::string_view text; // Include: the name without <> or ""; Text: with its quotes
    std::size_t line = 1;
};

// Comments and line splices are dropped; raw strings, prefixes and digit separators are known.
// Never fails: what is broken comes out as symbols. The views point into `source`.
std::vector<Token> tokenize(std::string_view source);

struct Signal {
    std::string what; // "forbidden word 'cblas_sgemm'"
    std::size_t line;
};

// Patterns are words of code, "include:NAME" for a header or "text:PART" for string literals.
std::vector<Signal> find_patterns(std::string_view source,
                                  const std::vector<std::string>& patterns);

} // namespace assay::kernel_bench
