// The first half of a layer: projections, norm and rotation of the heads, cache, attention.
#include "assay/kernels/elementwise.h"
#include "assay/kernels/rms_norm.h"
#include "step.h"

#include <algorithm>

namespace assay::engine {

namespace {

constexpr std::int64_t kRowsOfTask = 8;

} // namespace

// Norm and rotation of the heads of a row.
void Forward::Step::turn_heads(const Vector& weight, Rows& x, std::int64_t r, int number, int dim) {
    const kernels::Elementwise& op = kernels::elementwise_best();
    const std::int64_t width = static_cast<std::int64_t>(number) * dim;
    const auto half = static_cast<std::int64_t>(p_.rotation.frequencies.size());
    float* all = x.at(r * width);
    kernels::rms_norm_best(false)->run({all, weight.data(), all, number, dim, c_.norm_epsilon},
                                       nullptr);
    if (bf16()) op.round(all, nullptr, width);
    for (int h = 0; h < number; ++h)
        op.turn(all + h * dim, b_.cos.at(r * half), b_.sin.at(r * half), half);
    if (bf16()) op.round(all, x.narrow_at(r * width), width);
}

void Forward::Step::heads(int layer, const LayerWeights& w, std::int64_t r) {
    turn_heads(w.q_norm, b_.q, r, c_.heads, c_.head_dim);
    turn_heads(w.k_norm, b_.k, r, c_.kv_heads, c_.head_dim);
    if (c_.layers[static_cast<std::size_t>(layer)].sparse) {
        turn_heads(w.index_q_norm, b_.index_q, r, c_.index_heads, c_.index_dim);
        turn_heads(w.index_k_norm, b_.index_k, r, 1, c_.index_dim);
    }
    remember(layer, r);
}

namespace {

// A row of values as a column of a table whose rows are `block` wide: floats, or pairs of bf16.
template<class Word>
void write_column(const void* from, std::int64_t words, std::int64_t block, void* table,
                  std::int64_t column) {
    const Word* values = static_cast<const Word*>(from);
    Word* to = static_cast<Word*>(table) + column;
    for (std::int64_t i = 0; i < words; ++i) to[i * block] = values[i];
}

void write_pairs(const float* from, std::int64_t dim, void* table, std::int64_t slot) {
    auto* to = static_cast<kernels::Bf16Bits*>(table) + slot / 2 * dim * 2 + slot % 2;
    for (std::int64_t d = 0; d < dim; ++d) to[2 * d] = kernels::to_bf16(from[d]);
}

} // namespace

// Writes a row of keys, values and index keys to its place in the cache.
void Forward::Step::remember(int layer, std::int64_t r) {
    const Row& row = row_[static_cast<std::size_t>(r)];
    const PageCache& cache = row.sequence->cache();
    const std::int64_t block = cache.block(), slot = row.position % block;
    const int page = row.sequence->pages()[static_cast<std::size_t>(row.position / block)];
    auto write_keys = [&](Rows& k, std::int64_t at, std::int64_t dim, void* keys) {
        if (cache.bf16())
            write_column<kernels::Bf16Pair>(k.narrow_at(at), dim / 2, block, keys, slot);
        else
            write_column<float>(k.at(at), dim, block, keys, slot);
    };
    for (int h = 0; h < c_.kv_heads; ++h) {
        const std::int64_t at = (r * c_.kv_heads + h) * c_.head_dim;
        write_keys(b_.k, at, c_.head_dim, cache.keys(page, layer, h));
        void* values = cache.values(page, layer, h);
        if (cache.bf16())
            write_pairs(b_.v.at(at), c_.head_dim, values, slot);
        else
            std::copy_n(b_.v.at(at), c_.head_dim, static_cast<float*>(values) + slot * c_.head_dim);
    }
    if (c_.layers[static_cast<std::size_t>(layer)].sparse)
        write_keys(b_.index_k, r * c_.index_dim, c_.index_dim, cache.index_keys(page, layer));
}

void Forward::Step::attention(int layer) {
    const LayerWeights& w = p_.weights.layers[static_cast<std::size_t>(layer)];
    const bool sparse = c_.layers[static_cast<std::size_t>(layer)].sparse;
    normalise(w.input_norm, rows_, b_.hidden.at(0), b_.x);
    std::vector<Product> products = {product(w.q, b_.x, b_.q), product(w.k, b_.x, b_.k),
                                     product(w.v, b_.x, b_.v)};
    if (sparse) {
        products.push_back(product(w.index_q, b_.x, b_.index_q));
        products.push_back(product(w.index_k, b_.x, b_.index_k));
        if (probe_ != nullptr) begin_trace();
    }
    multiply(products);
    in_pieces(p_.workers, rows_, kRowsOfTask, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) heads(layer, w, r);
    });
    const std::int64_t width = static_cast<std::int64_t>(c_.heads) * c_.head_dim;
    b_.mixed.fit(count(width), bf16());
    b_.state.fit(count(2 * static_cast<std::int64_t>(c_.heads)), false);
    if (sparse) rank(layer);
    p_.workers.run(static_cast<std::int64_t>(groups_.size()) * c_.kv_heads, [&](std::int64_t task) {
        attend(layer, sparse, groups_[static_cast<std::size_t>(task / c_.kv_heads)],
               static_cast<int>(task % c_.kv_heads));
    });
    const Product out = product(w.o, b_.mixed, b_.attention);
    multiply({&out, 1});
    add(p_.workers, p_.compute, b_.attention.at(0), count(c_.hidden), b_.hidden.at(0));
}

void Forward::Step::begin_trace() {
    auto per_row = [&](auto& all) {
        all.assign(static_cast<std::size_t>(c_.kv_heads), {});
        for (auto& head : all) head.resize(row_.size());
    };
    per_row(blocks_);
    per_row(scores_);
    trace_.blocks = &blocks_;
    trace_.block_scores = &scores_;
}

} // namespace assay::engine
