// Places for JSON numbers within bounds.
#pragma once

#include "constrain/grammar.h"

#include <cstdint>
#include <optional>

namespace assay::engine {

inline constexpr std::int64_t kLargestInteger = 999'999'999'999'999'999; // 18 digits

// At most 18 digits; no "-0".
PlaceId integer(Grammar& grammar, std::int64_t low, std::int64_t high, PlaceId next);

struct NumberBounds {
    std::optional<std::int64_t> low, high;
    bool low_open = false, high_open = false; // the bound itself is outside
};
// At most 18 digits on each side of the point; an exponent of two digits if there are no bounds.
PlaceId number(Grammar& grammar, const NumberBounds& bounds, PlaceId next);

} // namespace assay::engine
