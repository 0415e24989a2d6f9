#include "linear_bf16_cases.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>

using namespace assay::kernels;
using namespace assay::kernels::cases;

namespace {

using Rows = std::vector<std::int32_t>;

std::vector<float> product(LinearBf16Function run, const LinearBf16Case& c,
                           const LinearBf16Data& data, const Rows& rows, bool round = false) {
    const auto m = static_cast<std::int64_t>(rows.size());
    std::vector<float> y(static_cast<std::size_t>(m * c.n));
    run({data.x.data(), rows.data(), data.w.data(), y.data(), m, c.n, c.k, c.k, c.n, round});
    return y;
}

Rows all_rows(const LinearBf16Case& c) {
    Rows rows;
    for (std::int32_t i = 0; i < c.m; ++i) rows.push_back(i);
    return rows;
}

// Of a NaN the payload is not specified.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::isnan(a[i]) && std::isnan(b[i])) &&
            std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
            return false;
    return a.size() == b.size();
}

} // namespace

TEST_CASE("linear_bf16: every variant gives the reference's bits, for each number of rows") {
    for (const LinearBf16Case& c : kLinearBf16) {
        if (c.m * c.n * c.k > 10'000'000) continue; // the reference takes its time
        LinearBf16Data data = linear_bf16_data(c);
        const Rows all = all_rows(c);
        const std::vector<float> want = product(linear_bf16_reference, c, data, all);
        for (const LinearBf16Variant& variant : linear_bf16_variants()) {
            if (!variant.available()) continue;
            INFO(c.name << ", " << variant.name);
            std::vector<float> y(want.size());
            variant.run(
                {data.x.data(), nullptr, data.w.data(), y.data(), c.m, c.n, c.k, c.k, c.n, false});
            CHECK(same(y, want));
            CHECK(same(product(variant.run, c, data, all, true),
                       product(linear_bf16_reference, c, data, all, true)));
            for (std::int32_t row = 0; row < c.m; ++row) { // alone and in pairs as among all
                auto from = want.begin() + row * c.n;
                CHECK(same(product(variant.run, c, data, {row}), {from, from + c.n}));
                std::vector<float> pair = product(variant.run, c, data, {0, row});
                CHECK(same({pair.begin() + c.n, pair.end()}, {from, from + c.n}));
            }
        }
    }
}

TEST_CASE("linear_bf16: the reference is the product") {
    for (const LinearBf16Case& c : kLinearBf16) {
        if (c.m > 64 || c.scale != 1 || c.k > 1000) continue;
        LinearBf16Data data = linear_bf16_data(c);
        std::vector<float> got = product(linear_bf16_reference, c, data, all_rows(c));
        for (std::int64_t i = 0; i < c.m; ++i)
            for (std::int64_t j = 0; j < c.n; ++j) {
                double sum = 0, size = 0;
                for (std::int64_t k = 0; k < c.k; ++k) {
                    double term = static_cast<double>(
                                      from_bf16(data.x[static_cast<std::size_t>(i * c.k + k)])) *
                                  from_bf16(data.w[static_cast<std::size_t>(j * c.k + k)]);
                    sum += term;
                    size += std::abs(term);
                }
                INFO(c.name << " " << i << " " << j);
                CHECK(got[static_cast<std::size_t>(i * c.n + j)] ==
                      Approx(sum).margin(size * 1e-6));
            }
    }
}

TEST_CASE("linear_bf16: pairs the other way round, or subnormal numbers kept, are noticed") {
    for (const char* name : {"all tails", "products at the least normal number"})
        for (const LinearBf16Case& c : kLinearBf16) {
            if (std::strcmp(c.name, name) != 0) continue;
            LinearBf16Data data = linear_bf16_data(c);
            std::vector<float> want = product(linear_bf16_reference, c, data, all_rows(c));
            if (c.scale == 1) {
                for (auto* side : {&data.x, &data.w})
                    for (std::size_t row = 0; row < side->size();
                         row += static_cast<std::size_t>(c.k))
                        for (std::size_t p = 0; 2 * p + 1 < static_cast<std::size_t>(c.k); ++p)
                            std::swap((*side)[row + 2 * p], (*side)[row + 2 * p + 1]);
                CHECK_FALSE(same(product(linear_bf16_reference, c, data, all_rows(c)), want));
                continue;
            }
            std::size_t zeros = 0, kept = 0; // what a product without flushing would keep
            for (std::size_t i = 0; i < want.size(); ++i) zeros += want[i] == 0;
            for (Bf16Bits x : data.x)
                for (Bf16Bits w : data.w) kept += from_bf16(x) * from_bf16(w) != 0;
            CHECK(zeros == want.size());
            CHECK(kept > data.x.size());
        }
}

TEST_CASE("dot_pair: a tiny result is flushed even where it rounds up to the least normal number") {
    const Bf16Bits a = to_bf16(0x1.8p-75f), b = to_bf16(-0x1p-76f);
    CHECK(std::fma(from_bf16(a), from_bf16(b), 0x1p-126f) == 0x1p-126f); // without flushing
    CHECK(dot_pair({a, 0}, {b, 0}, 0x1p-126f) == 0);
    CHECK(dot_pair({0, 0}, {0, 0}, 0x1p-126f) == 0x1p-126f);
    CHECK(dot_pair({0, 0}, {0, 0}, 0x1p-127f) == 0);
}
