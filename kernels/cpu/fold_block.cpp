// The specification, written to be read: see the header for the order of operations.
#include "assay/kernels/fold_block.h"

#include "assay/kernels/exponential.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace assay::kernels {

namespace {

using Floats = std::vector<float>;

const float* floats(const void* from) {
    return static_cast<const float*>(from);
}
const Bf16Pair* pairs(const void* from) {
    return static_cast<const Bf16Pair*>(from);
}

float score(const CachedBlock& at, const void* q, std::int64_t head, std::int64_t token) {
    float sum = 0;
    if (at.type == CacheType::F32) {
        for (std::int64_t d = 0; d < at.dim; ++d)
            sum =
                std::fma(floats(q)[head * at.dim + d], floats(at.keys)[d * at.block + token], sum);
        return sum;
    }
    const std::int64_t half = at.dim / 2;
    for (std::int64_t i = 0; i < half; ++i)
        sum = dot_pair(pairs(q)[head * half + i], pairs(at.keys)[i * at.block + token], sum);
    return sum;
}

float fold_lanes(const Floats& p) {
    std::array<float, 16> lanes{};
    for (std::size_t j = 0; j < p.size(); ++j) lanes[j % 16] += p[j];
    for (std::size_t half = 8; half > 0; half /= 2)
        for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    return lanes[0];
}

float mixed(const CachedBlock& at, const Floats& p, std::int64_t d) {
    float sum = 0;
    if (at.type == CacheType::F32) {
        for (std::size_t j = 0; j < p.size(); ++j)
            sum = std::fma(p[j], floats(at.values)[static_cast<std::int64_t>(j) * at.dim + d], sum);
        return sum;
    }
    for (std::size_t j = 0; j < p.size(); j += 2) {
        Bf16Pair value = pairs(at.values)[static_cast<std::int64_t>(j / 2) * at.dim + d];
        Bf16Pair part{to_bf16(p[j]), 0};
        if (j + 1 < p.size())
            part.second = to_bf16(p[j + 1]);
        else
            value.second = 0;
        sum = dot_pair(part, value, sum);
    }
    return sum;
}

void fold_head(const FoldArgs& args, const FoldRow& row, std::int64_t head) {
    const CachedBlock& at = args.at;
    float &all_max = row.state[2 * head], &all_sum = row.state[2 * head + 1];
    float* out = row.out + head * at.dim;
    Floats p(static_cast<std::size_t>(row.tokens));
    for (std::size_t j = 0; j < p.size(); ++j)
        p[j] = score(at, row.q, head, static_cast<std::int64_t>(j)) * args.scale;
    const float max = *std::max_element(p.begin(), p.end());
    for (float& one : p) one = exponential(one - max);
    const float sum = fold_lanes(p);
    if (row.first) {
        for (std::int64_t d = 0; d < at.dim; ++d) out[d] = mixed(at, p, d);
        all_max = max;
        all_sum = sum;
        return;
    }
    const float new_max = std::max(all_max, max);
    const float old_part = exponential(all_max - new_max), part = exponential(max - new_max);
    for (std::int64_t d = 0; d < at.dim; ++d)
        out[d] = std::fma(out[d], old_part, mixed(at, p, d) * part);
    all_sum = std::fma(all_sum, old_part, sum * part);
    all_max = new_max;
}

void fold(const FoldArgs& args) {
    for (const FoldRow& row : args.rows)
        for (std::int64_t head = 0; head < args.heads; ++head) fold_head(args, row, head);
}

void rank(const RankArgs& args) {
    for (const RankRow& row : args.rows)
        for (std::int64_t head = 0; head < args.heads; ++head) {
            float best = -std::numeric_limits<float>::infinity();
            for (int j = 0; j < row.tokens; ++j) {
                const float one = score(args.at, row.q, head, j);
                if (one > best) best = one; // never true of NaN
            }
            row.best[head * args.best_stride] = best;
        }
}

void finish(float* out, const float* state, std::int64_t heads, std::int64_t dim) {
    for (std::int64_t head = 0; head < heads; ++head)
        for (std::int64_t d = 0; d < dim; ++d) out[head * dim + d] /= state[2 * head + 1];
}

} // namespace

const FoldVariant kFoldReference = {"reference", [] { return true; }, fold, rank, finish};

std::span<const FoldVariant> fold_variants() {
    static const std::array<FoldVariant, 3> variants = {kFoldReference, kFoldAvx512,
                                                        kFoldAvx512Bf16};
    return variants;
}

const FoldVariant& fold_best() {
    static const FoldVariant& best = []() -> const FoldVariant& {
        const FoldVariant* found = &fold_variants().front();
        for (const FoldVariant& variant : fold_variants())
            if (variant.available()) found = &variant;
        return *found;
    }();
    return best;
}

} // namespace assay::kernels
