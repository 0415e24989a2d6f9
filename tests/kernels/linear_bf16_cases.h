// The one table of linear_bf16: the test checks every row, the benchmark times the marked ones.
#pragma once

#include "assay/kernels/linear_bf16.h"

#include <cstdint>
#include <random>
#include <vector>

namespace assay::kernels::cases {

struct LinearBf16Case {
    const char* name;
    std::int64_t m, n, k;
    float scale; // of both sides
    bool bench;
};

inline constexpr LinearBf16Case kLinearBf16[] = {
    {"no rows", 0, 3, 16, 1, false},
    {"no outputs", 3, 0, 16, 1, false},
    {"one of all", 1, 1, 1, 1, false},
    {"odd k", 5, 7, 19, 1, false},
    {"k below the lanes", 3, 13, 15, 1, false},
    {"all tails", 41, 18, 97, 1, false},
    {"each tile", 16, 8, 64, 1, false},
    {"products at the least normal number", 7, 12, 70, 1e-19f, false},
    {"sums that overflow", 7, 12, 70, 1e19f, false},
    {"decode", 1, 1536, 6144, 1, true},
    {"decode, expert", 1, 512, 1024, 1, true},
    {"batch of 4", 4, 1536, 6144, 1, true},
    {"prefill, expert", 64, 512, 1024, 1, true},
    {"prefill", 512, 384, 6144, 1, true},
};

struct LinearBf16Data {
    std::vector<Bf16Bits> x, w;
};

inline LinearBf16Data linear_bf16_data(const LinearBf16Case& c) {
    std::mt19937 random(7);
    LinearBf16Data data;
    auto fill = [&](std::vector<Bf16Bits>& out, std::int64_t size) {
        for (std::int64_t i = 0; i < size; ++i)
            out.push_back(to_bf16((static_cast<float>(random()) / 2147483648.0f - 1.0f) * c.scale));
    };
    fill(data.x, c.m * c.k);
    fill(data.w, c.n * c.k);
    return data;
}

} // namespace assay::kernels::cases
