#include "linear_cases.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>

using namespace assay::kernels;
using namespace assay::kernels::cases;

namespace {

std::vector<float> product(LinearFunction run, const LinearCase& c, const LinearData& data,
                           std::int64_t first, std::int64_t rows) {
    std::vector<float> y(static_cast<std::size_t>(rows * c.n));
    run({data.x.data() + first * c.k, data.weights(c), c.type, y.data(), rows, c.n, c.k, c.k, c.n});
    return y;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

} // namespace

TEST_CASE("linear: every variant gives the reference's bits, for each number of rows") {
    for (const LinearCase& c : kLinear) {
        LinearData data = linear_data(c);
        std::vector<float> want = product(linear_reference, c, data, 0, c.m);
        for (const LinearVariant& variant : linear_variants()) {
            if (!variant.available()) continue;
            INFO(c.name << ", " << variant.name);
            CHECK(same_bits(product(variant.run, c, data, 0, c.m), want));
            for (std::int64_t row = 0; row < c.m; row += 1 + c.m / 3) { // alone as in the batch
                auto from = want.begin() + static_cast<std::ptrdiff_t>(row * c.n);
                CHECK(same_bits(product(variant.run, c, data, row, 1), {from, from + c.n}));
            }
        }
    }
}

TEST_CASE("linear: the reference is the product") {
    for (const LinearCase& c : kLinear) {
        if (c.m > 64) continue;
        LinearData data = linear_data(c);
        std::vector<float> got = product(linear_reference, c, data, 0, c.m);
        for (std::int64_t i = 0; i < c.m; ++i)
            for (std::int64_t j = 0; j < c.n; ++j) {
                double sum = 0, size = 0;
                for (std::int64_t k = 0; k < c.k; ++k) {
                    double term =
                        static_cast<double>(data.x[static_cast<std::size_t>(i * c.k + k)]) *
                        data.w[static_cast<std::size_t>(j * c.k + k)];
                    sum += term;
                    size += std::abs(term);
                }
                INFO(c.name << " " << i << " " << j);
                CHECK(got[static_cast<std::size_t>(i * c.n + j)] ==
                      Approx(sum).margin(size * 1e-6));
            }
    }
}

TEST_CASE("linear: another order of the sum is noticed") {
    const LinearCase& c = kLinear[8];
    LinearData data = linear_data(c);
    std::vector<float> want = product(linear_reference, c, data, 0, 1), serial(want.size());
    for (std::size_t j = 0; j < serial.size(); ++j)
        for (std::size_t k = 0; k < static_cast<std::size_t>(c.k); ++k)
            serial[j] =
                std::fma(data.x[k], data.w[j * static_cast<std::size_t>(c.k) + k], serial[j]);
    CHECK_FALSE(same_bits(serial, want));
}
