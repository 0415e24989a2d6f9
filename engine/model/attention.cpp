// The first half of a layer: projections, norm and rotation of the heads, cache, attention.
#include "assay/kernels/block_attention.h"
#include "assay/kernels/elementwise.h"
#include "assay/kernels/rms_norm.h"
#include "assay/kernels/select.h"
#include "step.h"

#include <algorithm>
#include <cmath>

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

// Writes a row of keys, values and index keys to its place in the cache.
void Forward::Step::remember(int layer, std::int64_t r) {
    const Row& row = row_[static_cast<std::size_t>(r)];
    const PageCache& cache = row.sequence->cache();
    const std::int64_t block = cache.block(), slot = row.position % block;
    const int page = row.sequence->pages()[static_cast<std::size_t>(row.position / block)];
    for (int h = 0; h < c_.kv_heads; ++h) {
        const float* k = b_.k.at((r * c_.kv_heads + h) * c_.head_dim);
        const float* v = b_.v.at((r * c_.kv_heads + h) * c_.head_dim);
        float* keys = cache.keys(page, layer, h);
        for (int d = 0; d < c_.head_dim; ++d) keys[d * block + slot] = k[d];
        std::copy(v, v + c_.head_dim, cache.values(page, layer, h) + slot * c_.head_dim);
    }
    if (!c_.layers[static_cast<std::size_t>(layer)].sparse) return;
    float* keys = cache.index_keys(page, layer);
    for (int d = 0; d < c_.index_dim; ++d)
        keys[d * block + slot] = *b_.index_k.at(r * c_.index_dim + d);
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
        auto per_row = [&](auto& all) {
            all.assign(static_cast<std::size_t>(c_.kv_heads), {});
            for (auto& head : all) head.resize(row_.size());
        };
        per_row(blocks_);
        per_row(scores_);
        trace_.blocks = &blocks_;
        trace_.block_scores = &scores_;
    }
    linear(p_.workers, products);
    in_pieces(p_.workers, rows_, kRowsOfTask, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) heads(layer, w, r);
    });
    const std::int64_t width = static_cast<std::int64_t>(c_.heads) * c_.head_dim;
    b_.mixed.fit(count(width), bf16());
    p_.workers.run(rows_ * c_.kv_heads, [&](std::int64_t task) {
        attend(layer, sparse, task / c_.kv_heads, static_cast<int>(task % c_.kv_heads));
    });
    if (bf16())
        kernels::elementwise_best().round(b_.mixed.at(0), b_.mixed.narrow_at(0), count(width));
    const Product out = product(w.o, b_.mixed, b_.attention);
    linear(p_.workers, {&out, 1});
    add(p_.workers, p_.compute, b_.attention.at(0), count(c_.hidden), b_.hidden.at(0));
}

namespace {
int tokens_in(std::int64_t position, std::int32_t b, std::int64_t block) {
    return static_cast<int>(std::min(block, position + 1 - b * block));
}
} // namespace

// The query heads of one KV head at one position.
void Forward::Step::attend(int layer, bool sparse, std::int64_t r, int kv_head) {
    const Row& row = row_[static_cast<std::size_t>(r)];
    const PageCache& cache = row.sequence->cache();
    const auto block = static_cast<std::int64_t>(cache.block());
    const auto visible = static_cast<int>(row.position / block) + 1;
    thread_local std::vector<std::int32_t> chosen;
    thread_local std::vector<const float*> keys, values;
    thread_local std::vector<int> tokens;
    chosen.resize(static_cast<std::size_t>(visible));
    if (sparse) {
        choose(layer, row, r, kv_head, chosen);
    } else {
        for (int b = 0; b < visible; ++b) chosen[static_cast<std::size_t>(b)] = b;
    }
    keys.clear();
    values.clear();
    tokens.clear();
    for (std::int32_t b : chosen) {
        int page = row.sequence->pages()[static_cast<std::size_t>(b)];
        keys.push_back(cache.keys(page, layer, kv_head));
        values.push_back(cache.values(page, layer, kv_head));
        tokens.push_back(tokens_in(row.position, b, block));
    }
    const std::int64_t group = c_.heads / c_.kv_heads;
    const std::int64_t first = (r * c_.heads + kv_head * group) * c_.head_dim;
    kernels::block_attention_best().attend(
        {b_.q.at(first), b_.mixed.at(first), group, c_.head_dim, block, c_.head_dim, c_.head_dim,
         keys, values, tokens,
         static_cast<float>(1.0 / std::sqrt(static_cast<double>(c_.head_dim)))});
}

// The index head of a KV head ranks the blocks that the position sees.
void Forward::Step::choose(int layer, const Row& row, std::int64_t r, int kv_head,
                           std::vector<std::int32_t>& chosen) {
    const PageCache& cache = row.sequence->cache();
    thread_local std::vector<const float*> keys;
    thread_local std::vector<int> tokens;
    thread_local std::vector<float> best;
    keys.clear();
    tokens.clear();
    best.resize(chosen.size());
    for (std::size_t b = 0; b < chosen.size(); ++b) {
        keys.push_back(cache.index_keys(row.sequence->pages()[b], layer));
        tokens.push_back(tokens_in(row.position, static_cast<std::int32_t>(b), cache.block()));
    }
    const int head = kv_head * c_.index_heads / c_.kv_heads;
    kernels::block_attention_best().block_max(
        {b_.index_q.at((r * c_.index_heads + head) * c_.index_dim), best.data(), 1, c_.index_dim,
         cache.block(), c_.index_dim, static_cast<std::int64_t>(best.size()), keys, tokens});
    int n = kernels::select_blocks(best, c_.top_blocks, c_.init_blocks, c_.local_blocks, chosen);
    chosen.resize(static_cast<std::size_t>(n));
    if (probe_ == nullptr) return;
    const auto h = static_cast<std::size_t>(kv_head), at = static_cast<std::size_t>(r);
    blocks_[h][at] = chosen;
    scores_[h][at] = best;
}

} // namespace assay::engine
