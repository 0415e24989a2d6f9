// Places for characters and text.
#pragma once

#include "constrain/grammar.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

struct CodePoints {
    char32_t low, high;
};

// One character of the ranges, in UTF-8. The ranges are in order and apart; surrogates are left
// out.
PlaceId character(Grammar& grammar, const std::vector<CodePoints>& ranges, PlaceId next);

// Text in which none of M3's markers stands, in any way that the output parser would see it: with
// zero-width characters inside, too. So what is generated as text is read as text.
struct TextRule {
    bool json = false; // inside of a JSON string: escapes, no control characters
    std::uint32_t min = 0, max = Grammar::kUnbounded; // characters
    Region region = Region::String;
    std::vector<std::string> not_whole{}; // texts that it may not be, in which there are no escapes
    bool escapes = true;
    std::string not_first{}; // ASCII characters that it may not begin with
};
PlaceId text(Grammar& grammar, const TextRule& rule, PlaceId next);

// Does a marker stand in it?
bool has_marker(std::string_view text);

} // namespace assay::engine
