// The one table of linear: the test checks every row, the benchmark times the marked ones.
#pragma once

#include "assay/kernels/bf16.h"
#include "assay/kernels/linear.h"

#include <cstdint>
#include <random>
#include <vector>

namespace assay::kernels::cases {

struct LinearCase {
    const char* name;
    WeightType type;
    std::int64_t m, n, k;
    bool bench;
};

inline constexpr LinearCase kLinear[] = {
    {"no rows", WeightType::F32, 0, 3, 16, false},
    {"no outputs", WeightType::F32, 3, 0, 16, false},
    {"one of all", WeightType::F32, 1, 1, 1, false},
    {"tail of k", WeightType::F32, 5, 7, 19, false},
    {"k below the lanes", WeightType::Bf16, 3, 13, 15, false},
    {"tail of k, bf16", WeightType::Bf16, 9, 8, 97, false},
    {"all tails", WeightType::Bf16, 39, 17, 33, false},
    {"many rows", WeightType::F32, 70, 12, 64, false},
    {"decode", WeightType::Bf16, 1, 1536, 6144, true},
    {"decode f32", WeightType::F32, 1, 512, 6144, true},
    {"prefill", WeightType::Bf16, 512, 384, 6144, true},
};

struct LinearData {
    std::vector<float> x, w;
    std::vector<Bf16Bits> narrow; // w, where the type is Bf16
    const void* weights(const LinearCase& c) const {
        return c.type == WeightType::F32 ? static_cast<const void*>(w.data()) : narrow.data();
    }
};

inline LinearData linear_data(const LinearCase& c) {
    std::mt19937 random(7);
    auto draw = [&] { return static_cast<float>(random()) / 2147483648.0f - 1.0f; };
    LinearData data;
    data.x.resize(static_cast<std::size_t>(c.m * c.k));
    data.w.resize(static_cast<std::size_t>(c.n * c.k));
    for (float& v : data.x) v = draw();
    for (float& v : data.w) v = draw();
    if (c.type == WeightType::Bf16)
        for (float& v : data.w) {
            data.narrow.push_back(to_bf16(v));
            v = from_bf16(data.narrow.back());
        }
    return data;
}

} // namespace assay::kernels::cases
