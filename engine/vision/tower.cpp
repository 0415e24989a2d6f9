#include "tower.h"

#include "assay/base/error.h"
#include "assay/kernels/bf16.h"
#include "assay/kernels/block_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay::engine {

namespace {

constexpr std::int64_t kBlock = 256;    // patches of a block of keys
constexpr std::int64_t kQueries = 32;   // rows of a task of attention
constexpr std::int64_t kStep = 1 << 10; // rows whose wide activations are kept at once

std::size_t to_size(std::int64_t value) {
    return static_cast<std::size_t>(value);
}

} // namespace

Tower::Tower(const VisionConfig& config, const VisionWeights& weights, Compute compute, int threads)
    : c_(config)
    , w_(weights)
    , compute_(compute)
    , workers_(threads)
    , patch_(weights.patch)
    , head_dim_(config.hidden / config.heads)
    , angles_(head_dim_ / 3 / 2 * 3) {
    if (head_dim_ > kernels::kMaxHeadDim || config.channels != 3)
        throw Error(ErrorKind::Unsupported,
                    fmt::format("the vision tower has heads of {} dimensions and {} channels; {} "
                                "and 3 are what the engine computes",
                                head_dim_, config.channels, kernels::kMaxHeadDim));
    if (compute != Compute::Bf16 || patch_.format == Format::Bf16) return;
    patch_weight_.resize(to_size(patch_.rows * patch_.columns));
    dequantise(patch_, 0, patch_.rows, patch_weight_.data());
    round(workers_, compute, patch_.rows * patch_.columns, patch_weight_.data());
    patch_.format = Format::F32;
    patch_.data = reinterpret_cast<const std::byte*>(patch_weight_.data());
}

void Tower::run(const PatchGrid& grid, const Patches& patches, const Cancel& cancel,
                Buffer& features, VisionTrace* trace) {
    begin(grid, patches, trace);
    for (const VisionLayerWeights& layer : w_.layers) {
        cancel.check();
        attention(layer);
        mlp(layer);
    }
    if (trace != nullptr) trace->tower.insert(trace->tower.end(), hidden_.begin(), hidden_.end());
    cancel.check();
    project(features);
}

// Patches become rows, and each place in the grid its angles.
void Tower::begin(const PatchGrid& grid, const Patches& patches, VisionTrace* trace) {
    rows_ = grid.patches();
    blocks_ = (rows_ + kBlock - 1) / kBlock;
    for (Buffer* buffer : {&hidden_, &x_, &q_, &k_, &v_, &mixed_, &added_})
        buffer->resize(to_size(rows_ * c_.hidden));
    for (Buffer* buffer : {&keys_, &values_}) buffer->resize(to_size(blocks_ * kBlock * c_.hidden));
    for (std::int64_t first = 0; first < rows_; first += kStep) {
        const std::int64_t count = std::min(kStep, rows_ - first);
        inner_.resize(to_size(count * patch_.columns));
        in_pieces(workers_, count, 16, [&](std::int64_t from, std::int64_t to) {
            patches(first + from, first + to, inner_.data() + from * patch_.columns);
        });
        if (trace != nullptr)
            trace->patches.insert(trace->patches.end(), inner_.begin(), inner_.end());
        round(workers_, compute_, count * patch_.columns, inner_.data());
        linear(workers_, patch_, inner_.data(), count, hidden_.data() + first * c_.hidden);
    }
    round(workers_, compute_, rows_ * c_.hidden, hidden_.data());
    layer_norm(workers_, w_.pre_norm, c_.norm_epsilon, compute_, hidden_.data(), rows_,
               hidden_.data());

    const Rotation axis(angles_ / 3 * 2, c_.rope_theta);
    cos_.resize(to_size(rows_ * angles_));
    sin_.resize(to_size(rows_ * angles_));
    in_pieces(workers_, rows_, 16, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t r = from; r < to; ++r) {
            const PatchPlace at = place_of(grid, c_.merge, r);
            std::int64_t angle = r * angles_;
            for (int position : {at.frame, at.row, at.column}) {
                axis.angles(position, cos_.data() + angle, sin_.data() + angle);
                angle += angles_ / 3;
            }
        }
    });
}

// Pairs (j, j + angles) of each head; the dimensions behind them stay.
void Tower::rotate(Buffer& heads) {
    in_pieces(workers_, rows_, 16, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t r = from; r < to; ++r)
            for (int h = 0; h < c_.heads; ++h) {
                float* a = heads.data() + r * c_.hidden + std::int64_t{h} * head_dim_;
                float* b = a + angles_;
                const float *cosine = cos_.data() + r * angles_, *sine = sin_.data() + r * angles_;
                for (int j = 0; j < angles_; ++j) {
                    const float x = a[j], y = b[j];
                    a[j] = x * cosine[j] - y * sine[j];
                    b[j] = y * cosine[j] + x * sine[j];
                }
            }
    });
    round(workers_, compute_, rows_ * c_.hidden, heads.data());
}

// Keys [head][block][dim][kBlock] and values [head][block][kBlock][dim], as the kernel reads them.
void Tower::pack() {
    workers_.run(blocks_ * c_.heads, [&](std::int64_t task) {
        const std::int64_t head = task / blocks_, first = task % blocks_ * kBlock;
        const std::int64_t count = std::min(kBlock, rows_ - first);
        float* keys = keys_.data() + task * kBlock * head_dim_;
        float* values = values_.data() + task * kBlock * head_dim_;
        for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t at = (first + i) * c_.hidden + head * head_dim_;
            for (std::int64_t d = 0; d < head_dim_; ++d) keys[d * kBlock + i] = k_[to_size(at + d)];
            std::copy_n(v_.data() + at, head_dim_, values + i * head_dim_);
        }
    });
}

void Tower::attend(std::int64_t head, std::int64_t first, std::int64_t count) {
    thread_local std::vector<const float*> keys, values;
    thread_local std::vector<int> tokens;
    keys.clear();
    values.clear();
    tokens.clear();
    for (std::int64_t b = 0; b < blocks_; ++b) {
        const std::int64_t at = (head * blocks_ + b) * kBlock * head_dim_;
        keys.push_back(keys_.data() + at);
        values.push_back(values_.data() + at);
        tokens.push_back(static_cast<int>(std::min(kBlock, rows_ - b * kBlock)));
    }
    const std::int64_t at = first * c_.hidden + head * head_dim_;
    kernels::block_attention_best().attend(
        {q_.data() + at, mixed_.data() + at, count, head_dim_, kBlock, c_.hidden, c_.hidden, keys,
         values, tokens, static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim_)))});
}

void Tower::attention(const VisionLayerWeights& layer) {
    layer_norm(workers_, layer.norm1, c_.norm_epsilon, compute_, hidden_.data(), rows_, x_.data());
    affine(workers_, layer.q, compute_, x_.data(), rows_, q_.data());
    affine(workers_, layer.k, compute_, x_.data(), rows_, k_.data());
    affine(workers_, layer.v, compute_, x_.data(), rows_, v_.data());
    rotate(q_);
    rotate(k_);
    pack();
    const std::int64_t tasks = (rows_ + kQueries - 1) / kQueries;
    workers_.run(tasks * c_.heads, [&](std::int64_t task) {
        const std::int64_t first = task % tasks * kQueries;
        attend(task / tasks, first, std::min(kQueries, rows_ - first));
    });
    round(workers_, compute_, rows_ * c_.hidden, mixed_.data());
    affine(workers_, layer.out, compute_, mixed_.data(), rows_, added_.data());
    add(workers_, compute_, added_.data(), rows_ * c_.hidden, hidden_.data());
}

// y = second(gelu(first(x)))
void Tower::two_layers(const Affine& first, const Affine& second, const float* x, std::int64_t rows,
                       Buffer& inner, float* y) {
    inner.resize(to_size(rows * first.weight.rows));
    affine(workers_, first, compute_, x, rows, inner.data());
    gelu(workers_, compute_, rows * first.weight.rows, inner.data());
    affine(workers_, second, compute_, inner.data(), rows, y);
}

void Tower::mlp(const VisionLayerWeights& layer) {
    layer_norm(workers_, layer.norm2, c_.norm_epsilon, compute_, hidden_.data(), rows_, x_.data());
    for (std::int64_t first = 0; first < rows_; first += kStep)
        two_layers(layer.fc1, layer.fc2, x_.data() + first * c_.hidden,
                   std::min(kStep, rows_ - first), inner_, added_.data() + first * c_.hidden);
    add(workers_, compute_, added_.data(), rows_ * c_.hidden, hidden_.data());
}

// Rows that are merged stand side by side, so that they are one long row without being moved.
void Tower::project(Buffer& features) {
    const std::int64_t merged = std::int64_t{c_.merge} * c_.merge;
    const std::int64_t step = std::max<std::int64_t>(1, kStep / merged) * merged;
    const std::int64_t width = w_.project2.weight.rows, out = w_.merge2.weight.rows;
    Buffer projected;
    for (std::int64_t first = 0; first < rows_; first += step) {
        const std::int64_t count = std::min(step, rows_ - first);
        projected.resize(to_size(count * width));
        two_layers(w_.project1, w_.project2, hidden_.data() + first * c_.hidden, count, inner_,
                   projected.data());
        const std::size_t at = features.size();
        features.resize(at + to_size(count / merged * out));
        two_layers(w_.merge1, w_.merge2, projected.data(), count / merged, inner_,
                   features.data() + at);
    }
}

} // namespace assay::engine
