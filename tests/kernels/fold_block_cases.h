// The one table of fold_block: the test checks every row, the benchmark times the marked ones.
#pragma once

#include "assay/kernels/fold_block.h"

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace assay::kernels::cases {

struct FoldCase {
    const char* name;
    CacheType type;
    int rows; // at the last positions of the last block, and one more on all of it
    std::int64_t heads, dim, block;
    int blocks, last; // how many, and tokens of the last for the last row
    float scale;
    bool bench;
};

inline constexpr FoldCase kFold[] = {
    {"one token", CacheType::F32, 1, 1, 16, 8, 1, 1, 0.25f, false},
    {"small blocks", CacheType::F32, 4, 2, 32, 8, 4, 5, 0.176776695f, false},
    {"odd sizes", CacheType::F32, 7, 5, 17, 33, 3, 20, 0.2f, false},
    {"one token, bf16", CacheType::Bf16, 1, 1, 16, 8, 1, 1, 0.25f, false},
    {"small blocks, bf16", CacheType::Bf16, 4, 2, 32, 8, 4, 5, 0.176776695f, false},
    {"odd sizes, bf16", CacheType::Bf16, 7, 5, 18, 34, 3, 21, 0.2f, false},
    {"large scores, bf16", CacheType::Bf16, 9, 3, 24, 64, 2, 64, 20, false},
    {"decode", CacheType::Bf16, 1, 16, 128, 128, 16, 77, 0.0883883476f, true},
    {"decode, 4 heads", CacheType::Bf16, 1, 4, 128, 128, 16, 77, 0.0883883476f, true},
    {"prefill", CacheType::Bf16, 64, 4, 128, 128, 4, 128, 0.0883883476f, true},
    {"decode, f32", CacheType::F32, 1, 16, 128, 128, 16, 77, 0.0883883476f, true},
    {"prefill, f32", CacheType::F32, 64, 4, 128, 128, 4, 128, 0.0883883476f, true},
};

struct FoldData {                                            // words: floats, or pairs of bf16
    std::vector<std::vector<std::uint32_t>> keys, values, q; // of each block; of each row
};

inline FoldData fold_data(const FoldCase& c) {
    std::mt19937 random(11);
    auto word = [&] {
        auto draw = [&] { return static_cast<float>(random()) / 2147483648.0f - 1.0f; };
        if (c.type == CacheType::F32) return std::bit_cast<std::uint32_t>(draw());
        const std::uint32_t low = to_bf16(draw());
        return low | static_cast<std::uint32_t>(to_bf16(draw())) << 16;
    };
    auto fill = [&](std::int64_t values) {
        std::vector<std::uint32_t> out(
            static_cast<std::size_t>(c.type == CacheType::F32 ? values : values / 2));
        for (std::uint32_t& one : out) one = word();
        return out;
    };
    FoldData data;
    for (int b = 0; b < c.blocks; ++b) {
        data.keys.push_back(fill(c.block * c.dim));
        data.values.push_back(fill(c.block * c.dim));
    }
    for (int r = 0; r < c.rows; ++r) data.q.push_back(fill(c.heads * c.dim));
    return data;
}

inline int fold_tokens(const FoldCase& c, int row, int block) {
    if (block + 1 < c.blocks) return static_cast<int>(c.block);
    return std::max(1, c.last - (c.rows - 1 - row)); // as consecutive positions
}

// Row r leaves out the blocks with (block + row) % 3 == 2, but for the last.
inline bool fold_chosen(const FoldCase& c, int row, int block) {
    return c.bench || (block + row) % 3 != 2 || block + 1 == c.blocks;
}

inline CachedBlock fold_at(const FoldCase& c, const FoldData& data, int block) {
    const auto b = static_cast<std::size_t>(block);
    return {c.type, c.dim, c.block, data.keys[b].data(), data.values[b].data()};
}

// All rows together, or `only` one of them.
inline std::vector<float> fold_all(const FoldVariant& variant, const FoldCase& c,
                                   const FoldData& data, int only = -1) {
    const std::int64_t width = c.heads * c.dim;
    std::vector<float> out(static_cast<std::size_t>(c.rows * width));
    std::vector<float> state(static_cast<std::size_t>(c.rows * c.heads * 2));
    std::vector<char> begun(static_cast<std::size_t>(c.rows), 0);
    for (int b = 0; b < c.blocks; ++b) {
        std::vector<FoldRow> rows;
        for (int r = 0; r < c.rows; ++r) {
            const auto at = static_cast<std::size_t>(r);
            if ((only >= 0 && r != only) || !fold_chosen(c, r, b)) continue;
            rows.push_back({data.q[at].data(), out.data() + r * width,
                            state.data() + r * c.heads * 2, fold_tokens(c, r, b), begun[at] == 0});
            begun[at] = 1;
        }
        const void* next =
            b + 1 < c.blocks ? data.keys[static_cast<std::size_t>(b) + 1].data() : nullptr;
        variant.fold({fold_at(c, data, b), c.heads, c.scale, rows, next});
    }
    for (int r = 0; r < c.rows; ++r)
        if (only < 0 || r == only)
            variant.finish(out.data() + r * width, state.data() + r * c.heads * 2, c.heads, c.dim);
    if (only < 0) return out;
    return {out.begin() + only * width, out.begin() + (only + 1) * width};
}

inline std::vector<float> rank_all(const FoldVariant& variant, const FoldCase& c,
                                   const FoldData& data) {
    std::vector<float> best(static_cast<std::size_t>(c.rows * c.heads * c.blocks));
    for (int b = 0; b < c.blocks; ++b) {
        std::vector<RankRow> rows;
        for (int r = 0; r < c.rows; ++r)
            rows.push_back({data.q[static_cast<std::size_t>(r)].data(),
                            best.data() + r * c.heads * c.blocks + b, fold_tokens(c, r, b)});
        variant.rank({fold_at(c, data, b), c.heads, c.blocks, rows});
    }
    return best;
}

} // namespace assay::kernels::cases
