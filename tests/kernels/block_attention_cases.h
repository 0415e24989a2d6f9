// The one table of block attention: the test checks every row, the benchmark times the marked ones.
#pragma once

#include "assay/kernels/block_attention.h"

#include <cstdint>
#include <random>
#include <vector>

namespace assay::kernels::cases {

struct BlockAttentionCase {
    const char* name;
    std::int64_t heads, dim, block;
    int blocks, last; // how many, and tokens of the last
    float scale;
    bool bench;
};

inline constexpr BlockAttentionCase kBlockAttention[] = {
    {"one token", 1, 16, 8, 1, 1, 0.25f, false},
    {"small blocks", 2, 32, 8, 4, 5, 0.176776695f, false},
    {"odd sizes", 5, 24, 16, 3, 7, 0.2f, false},
    {"large scores", 3, 17, 33, 2, 20, 20, false},
    {"one full block", 16, 128, 128, 1, 128, 0.0883883476f, false},
    {"as the release", 16, 128, 128, 16, 77, 0.0883883476f, true},
};

struct BlockAttentionData {
    std::vector<float> q;
    std::vector<std::vector<float>> memory_of_keys, memory_of_values;
    std::vector<const float*> keys, values;
    std::vector<int> tokens;
};

inline BlockAttentionData block_attention_data(const BlockAttentionCase& c) {
    std::mt19937 random(11);
    auto draw = [&] { return static_cast<float>(random()) / 2147483648.0f - 1.0f; };
    BlockAttentionData data;
    auto fill = [&](std::int64_t size) {
        std::vector<float> out(static_cast<std::size_t>(size));
        for (float& v : out) v = draw();
        return out;
    };
    data.q = fill(c.heads * c.dim);
    for (int b = 0; b < c.blocks; ++b) {
        data.memory_of_keys.push_back(fill(c.block * c.dim));
        data.memory_of_values.push_back(fill(c.block * c.dim));
        data.tokens.push_back(b + 1 == c.blocks ? c.last : static_cast<int>(c.block));
    }
    for (auto& keys : data.memory_of_keys) data.keys.push_back(keys.data());
    for (auto& values : data.memory_of_values) data.values.push_back(values.data());
    return data;
}

inline std::vector<float> attend(void (*run)(const BlockAttentionArgs&),
                                 const BlockAttentionCase& c, const BlockAttentionData& data) {
    std::vector<float> out(data.q.size());
    run({data.q.data(), out.data(), c.heads, c.dim, c.block, c.dim, c.dim, data.keys, data.values,
         data.tokens, c.scale});
    return out;
}

} // namespace assay::kernels::cases
