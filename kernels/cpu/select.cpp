#include "assay/kernels/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace assay::kernels {

namespace {

struct Ranked {
    float score;
    std::int32_t number;
};

bool before(const Ranked& a, const Ranked& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.number < b.number;
}

float ranked(float score) {
    return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
}

} // namespace

int select_blocks(std::span<const float> scores, int top, int init, int local,
                  std::span<std::int32_t> out) {
    const int count = static_cast<int>(scores.size());
    const int chosen = std::min(top, count);
    const int forced_local = std::min(local, chosen);
    const int forced_init = std::min(init, chosen - forced_local);
    const int first = std::min(forced_init, count - forced_local); // they may overlap
    thread_local std::vector<Ranked> free;
    free.clear();
    for (int b = first; b < count - forced_local; ++b)
        free.push_back({ranked(scores[static_cast<std::size_t>(b)]), b});
    const int wanted = chosen - first - forced_local;
    std::partial_sort(free.begin(), free.begin() + wanted, free.end(), before);
    int n = 0;
    for (int b = 0; b < first; ++b) out[static_cast<std::size_t>(n++)] = b;
    for (int i = 0; i < wanted; ++i)
        out[static_cast<std::size_t>(n++)] = free[static_cast<std::size_t>(i)].number;
    for (int b = count - forced_local; b < count; ++b) out[static_cast<std::size_t>(n++)] = b;
    std::sort(out.begin(), out.begin() + n);
    return n;
}

void select_experts(std::span<const float> scores, std::span<const float> bias,
                    std::span<std::int32_t> out) {
    thread_local std::vector<Ranked> all;
    all.clear();
    for (std::size_t e = 0; e < scores.size(); ++e)
        all.push_back(
            {ranked(bias.empty() ? scores[e] : scores[e] + bias[e]), static_cast<std::int32_t>(e)});
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(out.size()), all.end(),
                      before);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = all[i].number;
    std::sort(out.begin(), out.end());
}

} // namespace assay::kernels
