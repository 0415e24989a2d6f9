// e^x and the logistic function, bit for bit the same in every variant of every op: the C library's
// are not the same everywhere and have no vector form.
//
//   n = x * log2(e) rounded to the nearest integer, r = x - n * ln 2 in two steps, then the Taylor
//   polynomial of degree 7 in r by Horner's rule, all with fused multiply-add; times 2^n. Relative
//   error below 2^-22. Below -87.3 the result is 0, above 88 infinite; NaN stays NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace assay::kernels {

inline constexpr float kExpLeast = -87.3f, kExpMost = 88.0f;
inline constexpr float kLog2E = 1.44269504f, kLn2High = 0.693145752f, kLn2Low = 1.42860677e-6f;
inline constexpr int kExpTerms = 8;
inline constexpr float kExpTerm[kExpTerms] = {
    1.98412698e-4f, 1.38888889e-3f, 8.33333333e-3f, 4.16666667e-2f,
    1.66666667e-1f, 0.5f,           1.0f,           1.0f}; // of r^7 .. r^0

inline float exponential(float x) {
    if (x < kExpLeast) return 0;
    if (x > kExpMost) return std::numeric_limits<float>::infinity();
    if (x != x) return x;
    float n = std::nearbyint(x * kLog2E);
    float r = std::fma(-n, kLn2High, x);
    r = std::fma(-n, kLn2Low, r);
    float y = kExpTerm[0];
    for (int i = 1; i < kExpTerms; ++i) y = std::fma(y, r, kExpTerm[i]);
    return y * std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<int>(n) + 127) << 23);
}

inline float logistic(float x) {
    return 1.0f / (1.0f + exponential(-x));
}

} // namespace assay::kernels
