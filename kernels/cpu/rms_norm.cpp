// The specification, written to be read: see the header for the order of the sum.
#include "assay/kernels/rms_norm.h"

#include <array>
#include <cmath>

namespace assay::kernels {

namespace {

float sum_of_squares(const float* x, std::int64_t columns) {
    std::array<float, kRmsLanes> lanes{};
    for (std::int64_t c = 0; c < columns; ++c) {
        float& lane = lanes[static_cast<std::size_t>(c % kRmsLanes)];
        lane = std::fma(x[c], x[c], lane);
    }
    for (std::size_t half = kRmsLanes / 2; half > 0; half /= 2)
        for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    return lanes[0];
}

} // namespace

void rms_norm_reference(const RmsNormArgs& args, void*) {
    for (std::int64_t r = 0; r < args.rows; ++r) {
        const float* x = args.x + r * args.columns;
        float* out = args.out + r * args.columns;
        float mean = sum_of_squares(x, args.columns) / static_cast<float>(args.columns);
        float scale = 1.0f / std::sqrt(mean + args.epsilon);
        for (std::int64_t c = 0; c < args.columns; ++c) out[c] = (x[c] * scale) * args.weight[c];
    }
}

} // namespace assay::kernels
