#include "ops.h"

#include "assay/kernels/bf16.h"
#include "assay/kernels/exponential.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/rms_norm.h"

#include <algorithm>
#include <cmath>

namespace assay::engine {

namespace {

constexpr std::int64_t kTaskWeights = 1 << 18; // of a task: long against taking it
constexpr std::int64_t kTaskValues = 1 << 14;
constexpr std::int64_t kRowStep = 24; // a multiple of the tiles of kernels::linear

void in_pieces(Workers& workers, std::int64_t count, std::int64_t piece,
               const std::function<void(std::int64_t, std::int64_t)>& body) {
    workers.run((count + piece - 1) / piece, [&](std::int64_t task) {
        body(task * piece, std::min(count, (task + 1) * piece));
    });
}

} // namespace

void linear(Workers& workers, const Matrix& w, const float* x, std::int64_t m, float* y) {
    const std::int64_t steps = std::max<std::int64_t>(1, kTaskWeights / (w.columns * kRowStep));
    in_pieces(workers, w.rows, steps * kRowStep, [&](std::int64_t begin, std::int64_t end) {
        kernels::LinearArgs args{x,         nullptr,   kernels::WeightType::F32,
                                 y + begin, m,         end - begin,
                                 w.columns, w.columns, w.rows};
        thread_local std::vector<float> wide;
        if (w.format == Format::F32) {
            args.w = reinterpret_cast<const float*>(w.data) + begin * w.columns;
        } else if (w.format == Format::Bf16) {
            args.type = kernels::WeightType::Bf16;
            args.w = reinterpret_cast<const kernels::Bf16Bits*>(w.data) + begin * w.columns;
        } else {
            wide.resize(static_cast<std::size_t>((end - begin) * w.columns));
            dequantise(w, begin, end, wide.data());
            args.w = wide.data();
        }
        kernels::linear_best().run(args);
    });
}

void norm(Workers& workers, const Vector& weight, float epsilon, const float* x, std::int64_t rows,
          float* out) {
    const auto columns = static_cast<std::int64_t>(weight.size());
    const auto* kernel = kernels::rms_norm_best(false);
    in_pieces(workers, rows, std::max<std::int64_t>(1, kTaskValues / columns),
              [&](std::int64_t begin, std::int64_t end) {
                  kernel->run({x + begin * columns, weight.data(), out + begin * columns,
                               end - begin, columns, epsilon},
                              nullptr);
              });
}

void swiglu(Workers& workers, float alpha, float limit, Compute compute, const float* gate,
            const float* up, std::int64_t count, float* out) {
    in_pieces(workers, count, kTaskValues, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            float g = std::min(gate[i], limit);
            float u = std::clamp(up[i], -limit, limit);
            float y = (u + 1.0f) * (g * kernels::logistic(alpha * g));
            out[i] = compute == Compute::Bf16 ? kernels::round_bf16(y) : y;
        }
    });
}

void add(Workers& workers, Compute compute, const float* y, std::int64_t count, float* x) {
    in_pieces(workers, count, kTaskValues, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            float sum = x[i] + y[i];
            x[i] = compute == Compute::Bf16 ? kernels::round_bf16(sum) : sum;
        }
    });
}

void round(Workers& workers, Compute compute, std::int64_t count, float* x) {
    if (compute != Compute::Bf16) return;
    in_pieces(workers, count, kTaskValues, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) x[i] = kernels::round_bf16(x[i]);
    });
}

Rotation::Rotation(int rotary_dim, double theta) {
    for (int j = 0; j < rotary_dim / 2; ++j)
        frequencies.push_back(static_cast<float>(std::pow(theta, -2.0 * j / rotary_dim)));
}

void Rotation::angles(std::int64_t position, float* cosines, float* sines) const {
    for (std::size_t j = 0; j < frequencies.size(); ++j) {
        const double angle = static_cast<float>(position) * frequencies[j]; // rounded once
        cosines[j] = static_cast<float>(std::cos(angle));
        sines[j] = static_cast<float>(std::sin(angle));
    }
}

void Rotation::turn(const float* cosines, const float* sines, float* head) const {
    const std::size_t half = frequencies.size();
    for (std::size_t j = 0; j < half; ++j) {
        float a = head[j], b = head[j + half];
        head[j] = std::fma(a, cosines[j], -(b * sines[j]));
        head[j + half] = std::fma(b, cosines[j], a * sines[j]);
    }
}

} // namespace assay::engine
