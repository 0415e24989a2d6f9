// The specification, written to be read: see the header for the order of operations.
#include "assay/kernels/block_attention.h"

#include "assay/kernels/exponential.h"
#include "assay/kernels/linear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace assay::kernels {

namespace {

float dot(const float* q, const float* keys, std::int64_t dim, std::int64_t block,
          std::int64_t token) {
    float sum = 0;
    for (std::int64_t d = 0; d < dim; ++d) sum = std::fma(q[d], keys[d * block + token], sum);
    return sum;
}

float fold(const std::vector<float>& p) {
    std::array<float, 16> lanes{};
    for (std::size_t j = 0; j < p.size(); ++j) lanes[j % 16] += p[j];
    for (std::size_t half = 8; half > 0; half /= 2)
        for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    return lanes[0];
}

} // namespace

void block_attention_reference(const BlockAttentionArgs& args) {
    const auto dim = static_cast<std::size_t>(args.dim);
    for (std::int64_t h = 0; h < args.heads; ++h) {
        const float* q = args.q + h * args.q_stride;
        float all_max = 0, all_sum = 0;
        std::vector<float> all(dim);
        for (std::size_t b = 0; b < args.keys.size(); ++b) {
            const auto tokens = static_cast<std::size_t>(args.tokens[b]);
            std::vector<float> p(tokens), o(dim, 0.0f);
            for (std::size_t j = 0; j < tokens; ++j)
                p[j] = dot(q, args.keys[b], args.dim, args.block, static_cast<std::int64_t>(j)) *
                       args.scale;
            float max = p[0];
            for (float score : p) max = std::max(max, score);
            for (float& score : p) score = exponential(score - max);
            float sum = fold(p);
            for (std::size_t j = 0; j < tokens; ++j)
                for (std::size_t d = 0; d < dim; ++d)
                    o[d] = std::fma(p[j], args.values[b][j * dim + d], o[d]);
            if (b == 0) {
                all_max = max;
                all_sum = sum;
                all = o;
                continue;
            }
            float new_max = std::max(all_max, max);
            float old_part = exponential(all_max - new_max), part = exponential(max - new_max);
            all_sum = std::fma(all_sum, old_part, sum * part);
            for (std::size_t d = 0; d < dim; ++d) all[d] = std::fma(all[d], old_part, o[d] * part);
            all_max = new_max;
        }
        for (std::size_t d = 0; d < dim; ++d)
            args.out[h * args.out_stride + static_cast<std::int64_t>(d)] = all[d] / all_sum;
    }
}

std::span<const BlockAttentionVariant> block_attention_variants() {
    static constexpr std::array<BlockAttentionVariant, 2> kVariants = {{
        {"reference", [] { return true; }, block_attention_reference},
        {"avx512", avx512_available, block_attention_avx512},
    }};
    return kVariants;
}

const BlockAttentionVariant& block_attention_best() {
    static const BlockAttentionVariant& best = []() -> const BlockAttentionVariant& {
        const BlockAttentionVariant* found = &block_attention_variants().front();
        for (const BlockAttentionVariant& variant : block_attention_variants())
            if (variant.available()) found = &variant;
        return *found;
    }();
    return best;
}

} // namespace assay::kernels
