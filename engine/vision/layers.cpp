#include "layers.h"

#include "assay/kernels/bf16.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::engine {

namespace {

constexpr std::size_t kLanes = 16;

float stored(Compute compute, float value) {
    return compute == Compute::Bf16 ? kernels::round_bf16(value) : value;
}

template<class Term>
float lane_sum(std::size_t count, const Term& term) {
    std::array<float, kLanes> lanes{};
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += term(i + l);
    for (std::size_t l = 0; i + l < count; ++l) lanes[l] += term(i + l);
    for (std::size_t half = kLanes / 2; half > 0; half /= 2)
        for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    return lanes[0];
}

void normalise_row(const LayerNormWeights& weights, float epsilon, Compute compute, const float* x,
                   float* out) {
    const std::size_t width = weights.weight.size();
    const auto count = static_cast<float>(width);
    const float mean = lane_sum(width, [&](std::size_t i) { return x[i]; }) / count;
    const float variance =
        lane_sum(width, [&](std::size_t i) { return (x[i] - mean) * (x[i] - mean); }) / count;
    const float scale = 1.0f / std::sqrt(variance + epsilon);
    for (std::size_t i = 0; i < width; ++i)
        out[i] = stored(compute, (x[i] - mean) * scale * weights.weight[i] + weights.bias[i]);
}

} // namespace

void layer_norm(Workers& workers, const LayerNormWeights& weights, float epsilon, Compute compute,
                const float* x, std::int64_t rows, float* out) {
    const auto width = static_cast<std::int64_t>(weights.weight.size());
    in_pieces(workers, rows, std::max<std::int64_t>(1, kTaskValues / width),
              [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t r = begin; r < end; ++r)
                      normalise_row(weights, epsilon, compute, x + r * width, out + r * width);
              });
}

void affine(Workers& workers, const Affine& weights, Compute compute, const float* x,
            std::int64_t rows, float* y) {
    linear(workers, weights.weight, x, rows, y);
    const std::int64_t width = weights.weight.rows;
    if (weights.bias.empty()) return round(workers, compute, rows * width, y);
    in_pieces(workers, rows, std::max<std::int64_t>(1, kTaskValues / width),
              [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t r = begin; r < end; ++r)
                      for (std::int64_t i = 0; i < width; ++i)
                          y[r * width + i] =
                              stored(compute,
                                     y[r * width + i] + weights.bias[static_cast<std::size_t>(i)]);
              });
}

void gelu(Workers& workers, Compute compute, std::int64_t count, float* x) {
    constexpr float kSqrtHalf = 0.707106781f;
    in_pieces(workers, count, kTaskValues, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            x[i] = stored(compute, 0.5f * x[i] * (1.0f + error_function(x[i] * kSqrtHalf)));
    });
}

float error_function(float x) {
    constexpr float kMost = 4; // from here on it is 1 in float
    constexpr std::array<float, 7> kAbove = {-2.72614225801306e-10f, 2.77068142495902e-08f,
                                             -2.10102402082508e-06f, -5.69250639462346e-05f,
                                             -7.34990630326855e-04f, -2.95459980854025e-03f,
                                             -1.60960333262415e-02f};
    constexpr std::array<float, 5> kBelow = {-1.45660718464996e-05f, -2.13374055278905e-04f,
                                             -1.68282697438203e-03f, -7.37332916720468e-03f,
                                             -1.42647390514189e-02f};
    if (std::abs(x) >= kMost) return std::copysign(1.0f, x);
    const float square = x * x;
    float above = 0, below = 0;
    for (float term : kAbove) above = above * square + term;
    for (float term : kBelow) below = below * square + term;
    return x * above / below;
}

} // namespace assay::engine
