// Root-mean-square normalisation over the last axis, the contract that every variant keeps.
//
//   out[r][c] = (x[r][c] * s[r]) * weight[c],   s[r] = 1 / sqrt(sum_c x[r][c]^2 / columns +
//   epsilon) x, out: [rows, columns] f32, contiguous, may be the same memory; weight: [columns] f32
//   rows >= 0, columns >= 1; any of the values may be infinite or NaN, which then propagates
//
// Order of the sum, bit for bit the same in all variants: lane l of kRmsLanes folds the columns
// c = l, l + kRmsLanes, ... in ascending order with fused multiply-add from 0; then the lanes are
// folded in halves: lane[l] += lane[l + h] for h = kRmsLanes/2, ..., 1. Square root and divisions
// are correctly rounded. So the result depends neither on the variant nor on the number of rows.
#pragma once

#include <cstdint>
#include <span>

namespace assay::kernels {

inline constexpr int kRmsLanes = 256;

struct RmsNormArgs {
    const float* x;
    const float* weight;
    float* out;
    std::int64_t rows;
    std::int64_t columns;
    float epsilon;
};

// Host pointers for a host variant, device pointers for a device variant. A device variant is
// launched on `stream` (a cudaStream_t, nullptr: the default one) and returns before it is done;
// host variants ignore it. Thread-safe.
using RmsNormFunction = void (*)(const RmsNormArgs& args, void* stream);

struct RmsNormVariant {
    const char* name; // "reference", "avx2", "cuda": forces it, in tests and on command lines
    bool on_device;
    bool (*available)(); // on this machine, now
    RmsNormFunction run;
};

// Slowest first; the first is the readable reference, which is always available.
std::span<const RmsNormVariant> rms_norm_variants();
// The last available variant for that kind of memory. There is none for a device without a device.
const RmsNormVariant* rms_norm_best(bool on_device);

void rms_norm_reference(const RmsNormArgs& args, void* stream);
void rms_norm_avx2(const RmsNormArgs& args, void* stream);
bool rms_norm_avx2_available();
void rms_norm_cuda(const RmsNormArgs& args, void* stream);

} // namespace assay::kernels
