// Attention of some query heads over blocks of keys and values in float: the contract that every
// variant keeps. fold_block.h has the same with many positions at a time, for a cache.
//
// A block holds up to `block` tokens of one KV head: keys as [dim, block] (the values of one
// dimension side by side, so that tokens fill a register), values as [block, dim]. Only the first
// `tokens[b]` of block b are looked at. All queries of one call share the blocks.
//
//   score[h][j] = (sum_d q[h][d] * key[d][j]) * scale
//   out[h]      = sum over blocks and j of softmax(score[h])[j] * value[j]
//
// Order, bit for bit the same in all variants:
//   score: fused multiply-add over d ascending, from 0; then times scale
//   of a block: m = max of its scores; p[j] = exponential(score[j] - m); l = the p[j] folded in 16
//     lanes (lane j % 16, ascending, plain addition from 0), then in halves 8, 4, 2, 1;
//     o[d] = fused multiply-add of p[j] * value[j][d] over j ascending, from 0
//   blocks in the given order: the first sets (M, L, O) to its (m, l, o); each later one with
//     M' = max(M, m), a = exponential(M - M'), c = exponential(m - M'):
//     L = fma(L, a, l * c), O[d] = fma(O[d], a, o[d] * c)
//   out[h][d] = O[d] / L
// So the result does not depend on what else is computed, nor on how a prompt was cut into pieces.
#pragma once

#include <cstdint>
#include <span>

namespace assay::kernels {

inline constexpr int kMaxBlock = 1024, kMaxHeadDim = 512; // tokens, dimensions

struct BlockAttentionArgs {
    const float* q; // [heads, dim]
    float* out;     // [heads, dim]
    std::int64_t heads, dim, block;
    std::int64_t q_stride, out_stride;  // of a head, in values
    std::span<const float* const> keys; // one for each block, at least one
    std::span<const float* const> values;
    std::span<const int> tokens; // of each block, 1 to `block`
    float scale;
};

struct BlockAttentionVariant {
    const char* name;
    bool (*available)();
    void (*attend)(const BlockAttentionArgs& args);
};

std::span<const BlockAttentionVariant> block_attention_variants(); // slowest first: the reference
const BlockAttentionVariant& block_attention_best();

void block_attention_reference(const BlockAttentionArgs& args);
void block_attention_avx512(const BlockAttentionArgs& args);

} // namespace assay::kernels
