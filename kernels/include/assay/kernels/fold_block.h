// Attention over a cache in blocks, one block and many queries at a time: the contract that every
// variant keeps. `fold` adds a block to what each row has seen so far, `finish` divides by the sum;
// `rank` finds the block maxima that the indexer chooses by.
//
// A block holds up to `block` tokens of one KV head. Words of 32 bits, a float or a pair of bf16:
//   F32:  keys [dim, block], values [block, dim]
//   Bf16: keys [dim / 2, block], a word has dimensions 2i and 2i + 1; values [block / 2, dim], a
//         word has tokens 2i and 2i + 1; dim and block are even; queries are bf16
// Only the first `tokens` of a row are looked at: rows at different positions share a block.
//
//   score[h][j] = (sum_d q[h][d] * key[j][d]) * scale
//   out[h]      = sum over blocks and j of softmax(score[h])[j] * value[j]
//
// Order, bit for bit the same in all variants:
//   score: over d ascending from 0, fused multiply-add (F32), dot_pair of pairs (Bf16, see bf16.h);
//     then times scale
//   of a block: m = max of its scores; p[j] = exponential(score[j] - m); l = the p[j] folded in 16
//     lanes (lane j % 16, ascending, plain addition from 0), then in halves 8, 4, 2, 1;
//     o[d] over j ascending from 0: fused multiply-add of p[j] * value[j][d] (F32), dot_pair of the
//     pairs of p[j] rounded to bf16 and the values (Bf16; where a second token is missing, 0 and 0)
//   the first block of a row sets its (M, L, O) to (m, l, o); each later one with M' = max(M, m),
//     a = exponential(M - M'), c = exponential(m - M'):
//     L = fma(L, a, l * c), O[d] = fma(O[d], a, o[d] * c), M = M'
//   finish: out[d] = O[d] / L
// So a row's result depends on the blocks that it was given, in the order in which it was given
// them, and on nothing else: neither on the rows beside it nor on how a prompt was cut into pieces.
#pragma once

#include "assay/kernels/bf16.h"
#include "assay/kernels/block_attention.h"

#include <cstdint>
#include <span>

namespace assay::kernels {

enum class CacheType : std::uint8_t { F32, Bf16 };

struct CachedBlock {
    CacheType type;
    std::int64_t dim, block;
    const void* keys;
    const void* values; // not looked at by rank
};

struct FoldRow {
    const void* q; // [heads, dim], float or bf16
    float* out;    // [heads, dim]: O
    float* state;  // [heads, 2]: M, L
    int tokens;    // 1 to `block`
    bool first;    // nothing was folded yet
};

struct FoldArgs {
    CachedBlock at;
    std::int64_t heads;
    float scale;
    std::span<const FoldRow> rows;
    const void* next = nullptr; // keys of the block that comes after, to be fetched in advance
};

// best[h * best_stride] = max over j of sum_d q[h][d] * key[j][d]; NaN counts as the lowest.
struct RankRow {
    const void* q; // [heads, dim]
    float* best;
    int tokens;
};

struct RankArgs {
    CachedBlock at;
    std::int64_t heads, best_stride;
    std::span<const RankRow> rows;
    const void* next = nullptr;
};

struct FoldVariant {
    const char* name;
    bool (*available)();
    void (*fold)(const FoldArgs& args);
    void (*rank)(const RankArgs& args);
    void (*finish)(float* out, const float* state, std::int64_t heads, std::int64_t dim);
};

std::span<const FoldVariant> fold_variants(); // slowest first: the reference
const FoldVariant& fold_best();

extern const FoldVariant kFoldReference, kFoldAvx512, kFoldAvx512Bf16;

} // namespace assay::kernels
