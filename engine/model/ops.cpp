#include "ops.h"

#include "assay/kernels/elementwise.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"

#include <algorithm>
#include <cmath>

namespace assay::engine {

namespace {

constexpr std::int64_t kTaskWeights = 1 << 17; // of a task: long against taking it
constexpr std::int64_t kRowStep = 8;           // a multiple of the tiles of linear_bf16

void round_rows(const Product& p, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < p.m; ++i)
        kernels::elementwise_best().round(p.y + i * p.w->rows + begin, nullptr, end - begin);
}

} // namespace

void in_pieces(Workers& workers, std::int64_t count, std::int64_t piece,
               const std::function<void(std::int64_t, std::int64_t)>& body) {
    workers.run((count + piece - 1) / piece, [&](std::int64_t task) {
        body(task * piece, std::min(count, (task + 1) * piece));
    });
}

std::int64_t piece_of(const Matrix& w) {
    return std::max<std::int64_t>(1, kTaskWeights / (w.columns * kRowStep)) * kRowStep;
}

void linear_piece(const Product& p, std::int64_t begin, std::int64_t end) {
    const Matrix& w = *p.w;
    if (p.narrow != nullptr && w.format == Format::Bf16) {
        kernels::linear_bf16_best().run(
            {p.narrow, p.rows,
             reinterpret_cast<const kernels::Bf16Bits*>(w.data) + begin * w.columns, p.y + begin,
             p.m, end - begin, w.columns, w.columns, w.rows, p.round});
        return;
    }
    kernels::LinearArgs args{p.x,         nullptr,   kernels::WeightType::F32,
                             p.y + begin, p.m,       end - begin,
                             w.columns,   w.columns, w.rows,
                             p.rows};
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
    if (p.round) round_rows(p, begin, end);
}

void linear(Workers& workers, std::span<const Product> products) {
    std::int64_t tasks = 0;
    auto pieces = [](const Product& p) {
        const std::int64_t piece = piece_of(*p.w);
        return (p.w->rows + piece - 1) / piece;
    };
    for (const Product& p : products) tasks += pieces(p);
    workers.run(tasks, [&](std::int64_t task) {
        const Product* p = products.data();
        for (; task >= pieces(*p); ++p) task -= pieces(*p);
        const std::int64_t begin = task * piece_of(*p->w);
        linear_piece(*p, begin, std::min(p->w->rows, begin + piece_of(*p->w)));
    });
}

void linear(Workers& workers, const Matrix& w, const float* x, std::int64_t m, float* y) {
    const Product product{&w, x, nullptr, nullptr, m, y, false};
    linear(workers, {&product, 1});
}

void add(Workers& workers, Compute compute, const float* y, std::int64_t count, float* x) {
    in_pieces(workers, count, kTaskValues, [&](std::int64_t begin, std::int64_t end) {
        kernels::elementwise_best().add(x + begin, y + begin, end - begin,
                                        compute == Compute::Bf16);
    });
}

void round(Workers& workers, Compute compute, std::int64_t count, float* x) {
    if (compute != Compute::Bf16) return;
    in_pieces(workers, count, kTaskValues, [&](std::int64_t begin, std::int64_t end) {
        kernels::elementwise_best().round(x + begin, nullptr, end - begin);
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

} // namespace assay::engine
