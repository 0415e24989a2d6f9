// What comes before the answer: the reasoning, by the thinking mode.
#pragma once

#include "assay/engine/output_parser.h"
#include "constrain/grammar.h"

namespace assay::engine {

PlaceId behind_reasoning(Grammar& grammar, ThinkingMode mode, PlaceId answer);

} // namespace assay::engine
