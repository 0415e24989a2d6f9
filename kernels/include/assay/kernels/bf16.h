// bfloat16 as the upper half of a float. Rounding is to nearest, ties to even; NaN stays NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace assay::kernels {

using Bf16Bits = std::uint16_t;

inline float from_bf16(Bf16Bits value) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

inline Bf16Bits to_bf16(float value) {
    auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<Bf16Bits>((bits >> 16) | 0x40u);
    return static_cast<Bf16Bits>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline float round_bf16(float value) {
    return from_bf16(to_bf16(value));
}

// What the instruction vdpbf16ps does to one lane, bit for bit but for the payload of a NaN:
//
//   sum = a[1] * b[1] + sum, then sum = a[0] * b[0] + sum
//
// each a fused multiply-add, rounded to nearest as if the exponent had no lower bound. Subnormal
// operands count as zero, subnormal results become zero; signs stay.
inline float without_subnormal(float x) {
    return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
}

inline float fused_flushed(float a, float b, float sum) {
    a = without_subnormal(a);
    b = without_subnormal(b);
    sum = without_subnormal(sum);
    const float result = std::fma(a, b, sum);
    if (std::abs(result) == 0x1p-126f) { // it may have been rounded up to that
        const double exact = static_cast<double>(a) * b + sum;
        if (std::abs(static_cast<float>(exact * 0x1p64)) < 0x1p-62f)
            return std::copysign(0.0f, result);
    }
    return without_subnormal(result);
}

struct Bf16Pair {
    Bf16Bits first, second;
};

inline float dot_pair(Bf16Pair a, Bf16Pair b, float sum) {
    sum = fused_flushed(from_bf16(a.second), from_bf16(b.second), sum);
    return fused_flushed(from_bf16(a.first), from_bf16(b.first), sum);
}

} // namespace assay::kernels
