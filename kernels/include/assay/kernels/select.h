// The two choices of the model: blocks for a query, experts for a token. Both are total orders, so
// that equal scores choose the same everywhere: higher score first, then the lower number. NaN is
// below everything.
#pragma once

#include <cstdint>
#include <span>

namespace assay::kernels {

// Chooses min(top, scores.size()) blocks: the last `local` and the first `init` always (where both
// do not fit, the local ones), the rest by score. Writes their numbers in ascending order and
// returns how many there are.
int select_blocks(std::span<const float> scores, int top, int init, int local,
                  std::span<std::int32_t> out);

// Chooses `out.size()` experts by scores[e] + bias[e] (an empty bias is 0), ascending in `out`.
void select_experts(std::span<const float> scores, std::span<const float> bias,
                    std::span<std::int32_t> out);

} // namespace assay::kernels
