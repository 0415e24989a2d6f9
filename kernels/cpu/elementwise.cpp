// The specification, written to be read.
#include "assay/kernels/elementwise.h"

#include "assay/kernels/exponential.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::kernels {

namespace {

void round(float* x, Bf16Bits* narrow, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const Bf16Bits bits = to_bf16(x[i]);
        x[i] = from_bf16(bits);
        if (narrow != nullptr) narrow[i] = bits;
    }
}

void swiglu(const SwigluArgs& args) {
    for (std::int64_t i = 0; i < args.count; ++i) {
        const float g = std::min(args.gate[i], args.limit);
        const float u = std::clamp(args.up[i], -args.limit, args.limit);
        const float y = (u + 1.0f) * (g * logistic(args.alpha * g));
        args.out[i] = args.rounded ? round_bf16(y) : y;
    }
}

void add(float* x, const float* y, std::int64_t count, bool rounded) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float sum = x[i] + y[i];
        x[i] = rounded ? round_bf16(sum) : sum;
    }
}

void accumulate(float* sum, float weight, const float* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) sum[i] = std::fma(weight, x[i], sum[i]);
}

void turn(float* head, const float* cosines, const float* sines, std::int64_t half) {
    for (std::int64_t j = 0; j < half; ++j) {
        const float a = head[j], b = head[j + half];
        head[j] = std::fma(a, cosines[j], -(b * sines[j]));
        head[j + half] = std::fma(b, cosines[j], a * sines[j]);
    }
}

} // namespace

const Elementwise kElementwiseReference = {"reference", [] { return true; }, round, swiglu,
                                           add,         accumulate,          turn};

std::span<const Elementwise> elementwise_variants() {
    static const std::array<Elementwise, 2> variants = {kElementwiseReference, kElementwiseAvx512};
    return variants;
}

const Elementwise& elementwise_best() {
    static const Elementwise& best =
        kElementwiseAvx512.available() ? kElementwiseAvx512 : kElementwiseReference;
    return best;
}

} // namespace assay::kernels
