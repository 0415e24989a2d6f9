// The same order of operations, several heads at a time: a tile of heads and tokens keeps its
// scores in registers over all dimensions, a tile of heads and dimensions its sums over all tokens.
#include "assay/kernels/block_attention.h"

#if defined(__x86_64__)

#include "avx512.h"

#include <algorithm>
#include <memory>

namespace assay::kernels {

namespace {

constexpr int kHeads = 4;   // of a tile
constexpr int kVectors = 4; // of 16 tokens or dimensions

struct Tile {
    alignas(64) float p[kHeads][kMaxBlock];     // scores, then their exponentials
    alignas(64) float o[kHeads][kMaxHeadDim];   // of this block
    alignas(64) float all[kHeads][kMaxHeadDim]; // of all blocks so far
};

// A tile of kVectors has no tail: see fold_block_tiles.h.
template<int V>
ASSAY_AVX512_INLINE __m512 load(__mmask16 mask, const float* from) {
    if constexpr (V == kVectors) return _mm512_loadu_ps(from);
    return _mm512_maskz_loadu_ps(mask, from);
}

// p[h][j] = sum_d q[h][d] * keys[d][j] for V vectors of tokens from `first`.
template<int H, int V>
ASSAY_AVX512 void scores_tile(const float* q, std::int64_t q_stride, const float* keys,
                              std::int64_t dim, std::int64_t block, std::int64_t first,
                              std::int64_t tokens, float (*p)[kMaxBlock]) {
    __m512 sum[H][V];
    __mmask16 mask[V];
    for (int v = 0; v < V; ++v) mask[v] = first_lanes(tokens - first - 16 * v);
    for (auto& row : sum)
        for (__m512& one : row) one = _mm512_setzero_ps();
    for (std::int64_t d = 0; d < dim; ++d) {
        __m512 key[V];
        for (int v = 0; v < V; ++v) key[v] = load<V>(mask[v], keys + d * block + first + 16 * v);
        for (int h = 0; h < H; ++h) {
            __m512 one = _mm512_set1_ps(q[h * q_stride + d]);
            for (int v = 0; v < V; ++v) sum[h][v] = _mm512_fmadd_ps(one, key[v], sum[h][v]);
        }
    }
    for (int h = 0; h < H; ++h)
        for (int v = 0; v < V; ++v)
            _mm512_mask_storeu_ps(p[h] + first + 16 * v, mask[v], sum[h][v]);
}

template<int H>
ASSAY_AVX512 void scores(const float* q, std::int64_t q_stride, const float* keys, std::int64_t dim,
                         std::int64_t block, std::int64_t tokens, float (*p)[kMaxBlock]) {
    std::int64_t first = 0;
    for (; first + 16 * kVectors <= tokens; first += 16 * kVectors)
        scores_tile<H, kVectors>(q, q_stride, keys, dim, block, first, tokens, p);
    for (; first < tokens; first += 16)
        scores_tile<H, 1>(q, q_stride, keys, dim, block, first, tokens, p);
}

// Scales p, turns it into exponentials and returns their maximum and sum.
ASSAY_AVX512_INLINE void soften(float* p, std::int64_t tokens, float scale, float& max,
                                float& sum) {
    const __m512 times = _mm512_set1_ps(scale);
    __m512 most = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    for (std::int64_t j = 0; j < tokens; j += 16) {
        __mmask16 mask = first_lanes(tokens - j);
        __m512 score = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, p + j), times);
        _mm512_mask_storeu_ps(p + j, mask, score);
        most = _mm512_mask_max_ps(most, mask, most, score);
    }
    max = _mm512_reduce_max_ps(most);
    __m512 total = _mm512_setzero_ps();
    for (std::int64_t j = 0; j < tokens; j += 16) {
        __mmask16 mask = first_lanes(tokens - j);
        __m512 part =
            exponential16(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, p + j), _mm512_set1_ps(max)));
        _mm512_mask_storeu_ps(p + j, mask, part);
        total = _mm512_mask_add_ps(total, mask, total, part);
    }
    sum = fold_halves(total);
}

template<int H, int V>
ASSAY_AVX512 void values_tile(const float (*p)[kMaxBlock], const float* values, std::int64_t dim,
                              std::int64_t first, std::int64_t tokens, float (*o)[kMaxHeadDim]) {
    __m512 sum[H][V];
    __mmask16 mask[V];
    for (int v = 0; v < V; ++v) mask[v] = first_lanes(dim - first - 16 * v);
    for (auto& row : sum)
        for (__m512& one : row) one = _mm512_setzero_ps();
    for (std::int64_t j = 0; j < tokens; ++j) {
        __m512 value[V];
        for (int v = 0; v < V; ++v) value[v] = load<V>(mask[v], values + j * dim + first + 16 * v);
        for (int h = 0; h < H; ++h) {
            __m512 part = _mm512_set1_ps(p[h][j]);
            for (int v = 0; v < V; ++v) sum[h][v] = _mm512_fmadd_ps(part, value[v], sum[h][v]);
        }
    }
    for (int h = 0; h < H; ++h)
        for (int v = 0; v < V; ++v)
            _mm512_mask_storeu_ps(o[h] + first + 16 * v, mask[v], sum[h][v]);
}

ASSAY_AVX512 void fold_in(float* all, const float* o, std::int64_t dim, float old_part,
                          float part) {
    for (std::int64_t d = 0; d < dim; d += 16) {
        __mmask16 mask = first_lanes(dim - d);
        __m512 added = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, o + d), _mm512_set1_ps(part));
        __m512 sum =
            _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, all + d), _mm512_set1_ps(old_part), added);
        _mm512_mask_storeu_ps(all + d, mask, sum);
    }
}

template<int H>
ASSAY_AVX512 void attend(const BlockAttentionArgs& args, std::int64_t head, Tile& tile) {
    float all_max[H] = {}, all_sum[H] = {};
    const float* q = args.q + head * args.q_stride;
    for (std::size_t b = 0; b < args.keys.size(); ++b) {
        const std::int64_t tokens = args.tokens[b];
        scores<H>(q, args.q_stride, args.keys[b], args.dim, args.block, tokens, tile.p);
        float max[H], sum[H];
        for (int h = 0; h < H; ++h) soften(tile.p[h], tokens, args.scale, max[h], sum[h]);
        float(*into)[kMaxHeadDim] = b == 0 ? tile.all : tile.o;
        std::int64_t d = 0;
        for (; d + 16 * kVectors <= args.dim; d += 16 * kVectors)
            values_tile<H, kVectors>(tile.p, args.values[b], args.dim, d, tokens, into);
        for (; d < args.dim; d += 16)
            values_tile<H, 1>(tile.p, args.values[b], args.dim, d, tokens, into);
        for (int h = 0; h < H; ++h) {
            if (b == 0) {
                all_max[h] = max[h];
                all_sum[h] = sum[h];
                continue;
            }
            float new_max = std::max(all_max[h], max[h]);
            float old_part = exponential(all_max[h] - new_max);
            float part = exponential(max[h] - new_max);
            all_sum[h] = std::fma(all_sum[h], old_part, sum[h] * part);
            fold_in(tile.all[h], tile.o[h], args.dim, old_part, part);
            all_max[h] = new_max;
        }
    }
    for (int h = 0; h < H; ++h)
        for (std::int64_t d = 0; d < args.dim; ++d)
            args.out[(head + h) * args.out_stride + d] = tile.all[h][d] / all_sum[h];
}

} // namespace

void block_attention_avx512(const BlockAttentionArgs& args) {
    thread_local const std::unique_ptr<Tile> mine(
        new Tile()); // not on its stack: fold_block_tiles.h
    Tile& tile = *mine;
    std::int64_t head = 0;
    for (; head + kHeads <= args.heads; head += kHeads) attend<kHeads>(args, head, tile);
    for (; head < args.heads; ++head) attend<1>(args, head, tile);
}

} // namespace assay::kernels

#else

namespace assay::kernels {

void block_attention_avx512(const BlockAttentionArgs& args) {
    block_attention_reference(args);
}

} // namespace assay::kernels

#endif
