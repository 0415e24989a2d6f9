// y = x W^T, the contract that every variant keeps.
//
//   y[i][j] = sum_k x[row(i)][k] * w[j][k]     x f32, w [n, k] f32 or bf16, y [m, n] f32
//   row(i) = rows[i], or i where there is no list
//   rows of x and y may lie apart (x_stride, y_stride, in values); rows of w lie side by side
//   m, n >= 0, k >= 1; x, w and y do not overlap
//
// Order of the sum, bit for bit the same in all variants: lane l of kLinearLanes folds k = l,
// l + kLinearLanes, ... in ascending order with fused multiply-add from 0; then the lanes are
// folded in halves: lane[l] += lane[l + h] for h = 8, 4, 2, 1. A bf16 weight is widened exactly. So
// a row of y depends on its row of x alone, not on m, and not on how n is divided among threads.
#pragma once

#include <cstdint>
#include <span>

namespace assay::kernels {

inline constexpr int kLinearLanes = 16;

enum class WeightType : std::uint8_t { F32, Bf16 };

struct LinearArgs {
    const float* x;
    const void* w;
    WeightType type;
    float* y;
    std::int64_t m, n, k;
    std::int64_t x_stride, y_stride;
    const std::int32_t* rows = nullptr;
};

using LinearFunction = void (*)(const LinearArgs& args);

struct LinearVariant {
    const char* name;
    bool (*available)();
    LinearFunction run;
};

// Slowest first; the first is the readable reference, which is always available.
std::span<const LinearVariant> linear_variants();
const LinearVariant& linear_best(); // the last that is available

void linear_reference(const LinearArgs& args);
void linear_avx512(const LinearArgs& args);
bool avx512_available();

} // namespace assay::kernels
