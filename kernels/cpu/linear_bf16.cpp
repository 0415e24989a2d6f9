// The specification, written to be read: see the header for the order of the sum.
#include "assay/kernels/linear_bf16.h"

#include "assay/kernels/linear.h"

#include <array>

namespace assay::kernels {

namespace {

Bf16Pair pair(const Bf16Bits* values, std::int64_t p, std::int64_t k) {
    return {values[2 * p], 2 * p + 1 < k ? values[2 * p + 1] : Bf16Bits{0}};
}

} // namespace

void linear_bf16_reference(const LinearBf16Args& args) {
    for (std::int64_t i = 0; i < args.m; ++i) {
        const Bf16Bits* x = args.x + (args.rows == nullptr ? i : args.rows[i]) * args.x_stride;
        for (std::int64_t j = 0; j < args.n; ++j) {
            const Bf16Bits* w = args.w + j * args.k;
            std::array<float, kDotLanes> lanes{};
            for (std::int64_t p = 0; 2 * p < args.k; ++p) {
                float& lane = lanes[static_cast<std::size_t>(p % kDotLanes)];
                lane = dot_pair(pair(x, p, args.k), pair(w, p, args.k), lane);
            }
            for (std::size_t half = kDotLanes / 2; half > 0; half /= 2)
                for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
            args.y[i * args.y_stride + j] = args.round ? round_bf16(lanes[0]) : lanes[0];
        }
    }
}

std::span<const LinearBf16Variant> linear_bf16_variants() {
    static constexpr std::array<LinearBf16Variant, 3> kVariants = {{
        {"reference", [] { return true; }, linear_bf16_reference},
        {"avx512", avx512_available, linear_bf16_avx512},
        {"avx512bf16", dot_instruction_available, linear_bf16_avx512bf16},
    }};
    return kVariants;
}

const LinearBf16Variant& linear_bf16_best() {
    static const LinearBf16Variant& best = []() -> const LinearBf16Variant& {
        const LinearBf16Variant* found = &linear_bf16_variants().front();
        for (const LinearBf16Variant& variant : linear_bf16_variants())
            if (variant.available()) found = &variant;
        return *found;
    }();
    return best;
}

} // namespace assay::kernels
