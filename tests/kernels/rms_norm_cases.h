// The one table of rms_norm: the test checks every row, the benchmark times the marked ones.
#pragma once

#include "assay/kernels/rms_norm.h"

#include <cstdint>
#include <random>
#include <vector>

namespace assay::kernels::cases {

struct RmsNormCase {
    const char* name;
    std::int64_t rows, columns;
    float scale; // of the input
    bool bench;
};

inline constexpr RmsNormCase kRmsNorm[] = {
    {"no rows", 0, 8, 1, false},
    {"one column", 3, 1, 1, false},
    {"below one lane set", 5, 255, 1, false},
    {"exactly one", 4, 256, 1, false},
    {"one over", 4, 257, 1, false},
    {"tail of 3", 2, 2051, 1, false},
    {"all zero", 2, 512, 0, false},
    {"denormal squares", 2, 512, 1e-23f, false},
    {"overflow to infinity", 2, 512, 1e20f, false},
    {"decode", 1, 6144, 1, true},
    {"prefill", 512, 6144, 1, true},
    {"more rows than blocks", 65540, 4, 1, false},
};

struct RmsNormData {
    std::vector<float> x, weight;
};

// std::mt19937's sequence is fixed by the standard; the mapping to floats is written out here.
inline RmsNormData rms_norm_data(const RmsNormCase& c) {
    std::mt19937 random(42);
    auto draw = [&] { return static_cast<float>(random()) / 2147483648.0f - 1.0f; };
    RmsNormData data;
    data.x.resize(static_cast<std::size_t>(c.rows * c.columns));
    data.weight.resize(static_cast<std::size_t>(c.columns));
    for (float& v : data.x) v = draw() * c.scale;
    for (float& v : data.weight) v = 1.0f + draw() * 0.25f;
    return data;
}

} // namespace assay::kernels::cases
