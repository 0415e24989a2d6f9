// y = x W^T with both sides in bf16, the contract that every variant keeps.
//
//   y[i][j] = sum_k x[row(i)][k] * w[j][k]     x bf16, w bf16 [n, k], y f32 [m, n]
//   row(i) = rows[i], or i where there is no list; rows of x and y may lie apart (x_stride,
//   y_stride, in values), rows of w lie side by side; m, n >= 0, k >= 1; nothing overlaps
//   round: y is rounded to bf16 (and is a float still)
//
// Order of the sum, bit for bit the same in all variants: the values 2p and 2p + 1 are pair p, a
// value that is missing at the end is 0; lane l of kDotLanes folds the pairs l, l + kDotLanes, ...
// in ascending order with dot_pair (bf16.h) from 0; then the lanes are folded in halves, lane[l] +=
// lane[l + h] for h = 8, 4, 2, 1. So a row of y depends on its row of x alone, not on m, and not on
// how n is divided among threads: the product with one row is the product with many.
#pragma once

#include "assay/kernels/bf16.h"

#include <cstdint>
#include <span>

namespace assay::kernels {

inline constexpr int kDotLanes = 16;

struct LinearBf16Args {
    const Bf16Bits* x;
    const std::int32_t* rows; // nullptr: 0, 1, 2 ...
    const Bf16Bits* w;
    float* y;
    std::int64_t m, n, k;
    std::int64_t x_stride, y_stride;
    bool round;
};

using LinearBf16Function = void (*)(const LinearBf16Args& args);

struct LinearBf16Variant {
    const char* name;
    bool (*available)(); // on this machine, and its instruction does what dot_pair does
    LinearBf16Function run;
};

// Slowest first; the first is the readable reference, which is always available.
std::span<const LinearBf16Variant> linear_bf16_variants();
const LinearBf16Variant& linear_bf16_best(); // the last that is available

void linear_bf16_reference(const LinearBf16Args& args);
void linear_bf16_avx512(const LinearBf16Args& args);     // widens, and multiplies floats
void linear_bf16_avx512bf16(const LinearBf16Args& args); // vdpbf16ps

bool dot_instruction_available(); // vdpbf16ps, with the results of dot_pair

} // namespace assay::kernels
