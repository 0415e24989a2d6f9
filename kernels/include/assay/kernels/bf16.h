// bfloat16 as the upper half of a float. Rounding is to nearest, ties to even; NaN stays NaN.
#pragma once

#include <bit>
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

} // namespace assay::kernels
