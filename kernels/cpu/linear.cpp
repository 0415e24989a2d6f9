// The specification, written to be read: see the header for the order of the sum.
#include "assay/kernels/linear.h"

#include "assay/kernels/bf16.h"

#include <array>
#include <cmath>

namespace assay::kernels {

namespace {

float weight(const LinearArgs& args, std::int64_t row, std::int64_t k) {
    if (args.type == WeightType::F32) return static_cast<const float*>(args.w)[row * args.k + k];
    return from_bf16(static_cast<const Bf16Bits*>(args.w)[row * args.k + k]);
}

} // namespace

void linear_reference(const LinearArgs& args) {
    for (std::int64_t i = 0; i < args.m; ++i) {
        const float* x = args.x + (args.rows == nullptr ? i : args.rows[i]) * args.x_stride;
        for (std::int64_t j = 0; j < args.n; ++j) {
            std::array<float, kLinearLanes> lanes{};
            for (std::int64_t k = 0; k < args.k; ++k) {
                float& lane = lanes[static_cast<std::size_t>(k % kLinearLanes)];
                lane = std::fma(x[k], weight(args, j, k), lane);
            }
            for (std::size_t half = kLinearLanes / 2; half > 0; half /= 2)
                for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
            args.y[i * args.y_stride + j] = lanes[0];
        }
    }
}

std::span<const LinearVariant> linear_variants() {
    static constexpr std::array<LinearVariant, 2> kVariants = {{
        {"reference", [] { return true; }, linear_reference},
        {"avx512", avx512_available, linear_avx512},
    }};
    return kVariants;
}

const LinearVariant& linear_best() {
    static const LinearVariant& best = [&]() -> const LinearVariant& {
        const LinearVariant* found = &linear_variants().front();
        for (const LinearVariant& variant : linear_variants())
            if (variant.available()) found = &variant;
        return *found;
    }();
    return best;
}

} // namespace assay::kernels
