#include "fold_block_cases.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace assay::kernels;
using namespace assay::kernels::cases;

namespace {

using Values = std::vector<float>;

bool same(const Values& a, const Values& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::isnan(a[i]) && std::isnan(b[i])) &&
            std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
            return false;
    return a.size() == b.size();
}

const FoldCase& named(const char* name) {
    for (const FoldCase& c : kFold)
        if (std::strcmp(c.name, name) == 0) return c;
    throw std::runtime_error("no such case");
}

float half(std::uint32_t word, std::int64_t which) {
    return from_bf16(static_cast<Bf16Bits>(which == 0 ? word & 0xffff : word >> 16));
}
float key(const FoldCase& c, const FoldData& data, std::size_t b, std::int64_t j, std::int64_t d) {
    if (c.type == CacheType::F32)
        return std::bit_cast<float>(data.keys[b][static_cast<std::size_t>(d * c.block + j)]);
    return half(data.keys[b][static_cast<std::size_t>(d / 2 * c.block + j)], d % 2);
}
float value(const FoldCase& c, const FoldData& data, std::size_t b, std::int64_t j,
            std::int64_t d) {
    if (c.type == CacheType::F32)
        return std::bit_cast<float>(data.values[b][static_cast<std::size_t>(j * c.dim + d)]);
    return half(data.values[b][static_cast<std::size_t>(j / 2 * c.dim + d)], j % 2);
}
float query(const FoldCase& c, const FoldData& data, int r, std::int64_t at) {
    const auto& q = data.q[static_cast<std::size_t>(r)];
    if (c.type == CacheType::F32) return std::bit_cast<float>(q[static_cast<std::size_t>(at)]);
    return half(q[static_cast<std::size_t>(at / 2)], at % 2);
}

// The textbook's softmax over all tokens of a head of a row at once, in double.
std::vector<double> plain(const FoldCase& c, const FoldData& data, int r, std::int64_t head) {
    std::vector<double> weight, o(static_cast<std::size_t>(c.dim));
    double sum = 0, max = -1e300;
    auto each = [&](const auto& call) {
        for (int b = 0; b < c.blocks; ++b)
            for (int j = 0; fold_chosen(c, r, b) && j < fold_tokens(c, r, b); ++j)
                call(static_cast<std::size_t>(b), j);
    };
    each([&](std::size_t b, int j) {
        double score = 0;
        for (std::int64_t d = 0; d < c.dim; ++d)
            score +=
                static_cast<double>(query(c, data, r, head * c.dim + d)) * key(c, data, b, j, d);
        weight.push_back(score * c.scale);
        max = std::max(max, weight.back());
    });
    for (double& w : weight) sum += w = std::exp(w - max);
    std::size_t at = 0;
    each([&](std::size_t b, int j) {
        for (std::int64_t d = 0; d < c.dim; ++d)
            o[static_cast<std::size_t>(d)] += weight[at] / sum * value(c, data, b, j, d);
        ++at;
    });
    return o;
}

} // namespace

TEST_CASE("fold: every variant gives the reference's bits, rows together as alone") {
    for (const FoldCase& c : kFold) {
        const FoldData data = fold_data(c);
        const Values want = fold_all(kFoldReference, c, data);
        const Values best = rank_all(kFoldReference, c, data);
        for (const FoldVariant& variant : fold_variants()) {
            if (!variant.available()) continue;
            INFO(c.name << ", " << variant.name);
            CHECK(same(fold_all(variant, c, data), want));
            CHECK(same(rank_all(variant, c, data), best));
            for (int r = 0; r < c.rows; r += 1 + c.rows / 4) {
                auto from = want.begin() + r * c.heads * c.dim;
                CHECK(same(fold_all(variant, c, data, r), {from, from + c.heads * c.dim}));
            }
        }
    }
}

TEST_CASE("fold: the reference is softmax, with the weights of a bf16 cache rounded to bf16") {
    for (const FoldCase& c : kFold) {
        if (c.rows > 10) continue;
        const FoldData data = fold_data(c);
        const Values got = fold_all(kFoldReference, c, data);
        const double bound = c.type == CacheType::F32 ? 2e-6 : 8e-3;
        for (int r = 0; r < c.rows; ++r)
            for (std::int64_t head = 0; head < c.heads; ++head) {
                const std::vector<double> want = plain(c, data, r, head);
                for (std::size_t d = 0; d < want.size(); ++d) {
                    INFO(c.name << " row " << r << " head " << head << " " << d);
                    CHECK(got[static_cast<std::size_t>((r * c.heads + head) * c.dim) + d] ==
                          Approx(want[d]).margin(bound));
                }
            }
    }
}

TEST_CASE("fold: what lies behind the tokens of a block is not looked at") {
    for (const char* name : {"small blocks", "small blocks, bf16"}) {
        const FoldCase& c = named(name);
        const FoldData data = fold_data(c);
        FoldData dirty = fold_data(c);
        auto spoil = [&](std::int64_t from) { // tokens of the last block
            for (std::int64_t j = from; j < c.block; ++j)
                for (std::int64_t d = 0; d < c.dim; ++d) {
                    const bool wide = c.type == CacheType::F32;
                    auto& keys = dirty.keys.back();
                    auto& values = dirty.values.back();
                    keys[static_cast<std::size_t>((wide ? d : d / 2) * c.block + j)] = 0x7fc07fc0;
                    auto& word = values[static_cast<std::size_t>((wide ? j : j / 2) * c.dim + d)];
                    word = wide || j % 2 == 0 ? 0x7fc07fc0 : word | 0x7fc00000;
                }
        };
        spoil(c.last); // odd, so half of a pair is spoilt
        for (const FoldVariant& variant : fold_variants()) {
            if (!variant.available()) continue;
            INFO(c.name << ", " << variant.name);
            CHECK(same(fold_all(variant, c, dirty), fold_all(variant, c, data)));
            CHECK(same(rank_all(variant, c, dirty), rank_all(variant, c, data)));
        }
        spoil(c.last - 1); // the last row sees it
        CHECK_FALSE(same(fold_all(fold_best(), c, dirty), fold_all(fold_best(), c, data)));
    }
}

TEST_CASE("fold: another order of the blocks is noticed") {
    const FoldCase& c = named("large scores, bf16");
    FoldData data = fold_data(c);
    const Values want = fold_all(kFoldReference, c, data, 8);
    std::swap(data.keys[0], data.keys[1]); // both are full for the last row
    std::swap(data.values[0], data.values[1]);
    CHECK_FALSE(same(fold_all(kFoldReference, c, data, 8), want));
}

TEST_CASE("rank: NaN counts as the lowest") {
    for (CacheType type : {CacheType::F32, CacheType::Bf16}) {
        const FoldCase c{"nan", type, 1, 1, 4, 16, 1, 16, 1, false};
        FoldData data = fold_data(c);
        for (std::size_t j = 0; j < 16; ++j) data.keys[0][j] = 0x7fc07fc0;
        for (const FoldVariant& variant : fold_variants())
            if (variant.available())
                CHECK(rank_all(variant, c, data)[0] == -std::numeric_limits<float>::infinity());
        data.keys[0][3] = 0; // one token is a number
        for (const FoldVariant& variant : fold_variants())
            if (variant.available()) CHECK(std::isfinite(rank_all(variant, c, data)[0]));
    }
}
