#include "assay/kernels/exponential.h"
#include "block_attention_cases.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace assay::kernels;
using namespace assay::kernels::cases;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The textbook's softmax over all tokens at once, in double.
std::vector<double> plain(const BlockAttentionCase& c, const BlockAttentionData& data) {
    std::vector<double> out;
    for (std::int64_t h = 0; h < c.heads; ++h) {
        std::vector<double> weight, o(static_cast<std::size_t>(c.dim));
        double sum = 0, max = -1e300;
        for (std::size_t b = 0; b < data.tokens.size(); ++b)
            for (int j = 0; j < data.tokens[b]; ++j) {
                double score = 0;
                for (std::int64_t d = 0; d < c.dim; ++d)
                    score += static_cast<double>(data.q[static_cast<std::size_t>(h * c.dim + d)]) *
                             data.keys[b][d * c.block + j];
                weight.push_back(score * c.scale);
                max = std::max(max, weight.back());
            }
        for (double& w : weight) sum += w = std::exp(w - max);
        std::size_t at = 0;
        for (std::size_t b = 0; b < data.tokens.size(); ++b)
            for (int j = 0; j < data.tokens[b]; ++j, ++at)
                for (std::int64_t d = 0; d < c.dim; ++d)
                    o[static_cast<std::size_t>(d)] +=
                        weight[at] / sum * data.values[b][j * c.dim + d];
        out.insert(out.end(), o.begin(), o.end());
    }
    return out;
}

} // namespace

TEST_CASE("block attention: every variant gives the reference's bits; the reference is softmax") {
    for (const BlockAttentionCase& c : kBlockAttention) {
        BlockAttentionData data = block_attention_data(c);
        std::vector<float> want = attend(block_attention_reference, c, data);
        for (const BlockAttentionVariant& variant : block_attention_variants()) {
            if (!variant.available()) continue;
            INFO(c.name << ", " << variant.name);
            CHECK(same_bits(attend(variant.attend, c, data), want));
        }
        std::vector<double> exact = plain(c, data);
        for (std::size_t i = 0; i < exact.size(); ++i) {
            INFO(c.name << " " << i);
            CHECK(want[i] == Approx(exact[i]).margin(2e-6));
        }
    }
}

TEST_CASE("block attention: what lies behind the tokens of a block is not looked at") {
    const BlockAttentionCase& c = kBlockAttention[1];
    BlockAttentionData data = block_attention_data(c);
    for (const BlockAttentionVariant& variant : block_attention_variants()) {
        if (!variant.available()) continue;
        std::vector<float> want = attend(variant.attend, c, data);
        BlockAttentionData dirty = block_attention_data(c);
        const auto last = dirty.tokens.size() - 1;
        for (std::int64_t j = dirty.tokens[last]; j < c.block; ++j)
            for (std::int64_t d = 0; d < c.dim; ++d) {
                dirty.memory_of_keys[last][static_cast<std::size_t>(d * c.block + j)] = NAN;
                dirty.memory_of_values[last][static_cast<std::size_t>(j * c.dim + d)] = NAN;
            }
        CHECK(same_bits(attend(variant.attend, c, dirty), want));
        dirty.tokens[last] += 1; // with it: the NaN is seen
        CHECK_FALSE(same_bits(attend(variant.attend, c, dirty), want));
    }
}

TEST_CASE("exponential is e^x within 2^-22") {
    double worst = 0;
    for (float x = -87.2f; x < 88.0f; x += 0.00137f)
        worst = std::max(worst, std::abs(exponential(x) / std::exp(static_cast<double>(x)) - 1));
    CHECK(worst < 1.0 / (1 << 22));
    CHECK(exponential(0) == 1);
    CHECK(exponential(-88) == 0);
    CHECK(exponential(-std::numeric_limits<float>::infinity()) == 0);
    CHECK(std::isinf(exponential(89)));
    CHECK(std::isnan(exponential(NAN)));
    CHECK(logistic(0) == 0.5f);
    CHECK(logistic(-100) == 0);
    CHECK(logistic(100) == 1);
}
