// Regular expressions of JSON schemas, as places: alternatives, groups, classes, \d \w \s, the
// quantifiers, ^ and $ at the ends of the whole. What is found anywhere may stand anywhere.
//
// No text has < or ] by a pattern, so that no marker of M3's format can stand in it.
#pragma once

#include "constrain/grammar.h"

#include <string>

namespace assay::engine {

// `json`: inside of a JSON string. Throws Error(Input) that names `where` for anything else.
PlaceId pattern(Grammar& grammar, const std::string& expression, const std::string& where,
                bool json, PlaceId next);

} // namespace assay::engine
