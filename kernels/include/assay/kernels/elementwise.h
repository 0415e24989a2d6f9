// What happens to activations between products, value by value: the contract that every variant
// keeps, bit for bit (but for the payload of a NaN). Nothing overlaps but where it says so.
//
//   round       x = round_bf16(x); the same as bf16 to `narrow` unless that is null
//   swiglu      out = (u + 1) * (g * logistic(alpha * g)), g = min(gate, limit), u = up within
//               [-limit, limit]; out may be gate; `rounded` rounds the result to bf16
//   add         x = x + y, rounded to bf16 if `rounded`
//   accumulate  sum = fma(weight, x, sum)
//   turn        rotates the pairs (j, j + half) of a head: a' = fma(a, cos, -(b * sin)),
//               b' = fma(b, cos, a * sin)
#pragma once

#include "assay/kernels/bf16.h"

#include <cstdint>
#include <span>

namespace assay::kernels {

struct SwigluArgs {
    const float *gate, *up;
    float* out;
    std::int64_t count;
    float alpha, limit;
    bool rounded;
};

struct Elementwise {
    const char* name;
    bool (*available)();
    void (*round)(float* x, Bf16Bits* narrow, std::int64_t count);
    void (*swiglu)(const SwigluArgs& args);
    void (*add)(float* x, const float* y, std::int64_t count, bool rounded);
    void (*accumulate)(float* sum, float weight, const float* x, std::int64_t count);
    void (*turn)(float* head, const float* cosines, const float* sines, std::int64_t half);
};

std::span<const Elementwise> elementwise_variants(); // slowest first: the reference
const Elementwise& elementwise_best();

extern const Elementwise kElementwiseReference, kElementwiseAvx512;

} // namespace assay::kernels
