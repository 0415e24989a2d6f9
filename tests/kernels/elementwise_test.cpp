#include "assay/kernels/elementwise.h"
#include "assay/kernels/exponential.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace assay::kernels;

namespace {

using Values = std::vector<float>;

Values drawn(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    Values out(count);
    for (float& v : out) v = static_cast<float>(random()) / 2147483648.0f * 10.0f - 10.0f;
    const float special[] = {0.0f, -0.0f, 1e-40f, INFINITY, -INFINITY, NAN, 3e38f, 1.00390625f};
    for (std::size_t i = 0; i < std::size(special) && 3 * i < count; ++i) out[3 * i] = special[i];
    return out;
}

bool same(const Values& a, const Values& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::isnan(a[i]) && std::isnan(b[i])) &&
            std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
            return false;
    return a.size() == b.size();
}

// All that a variant computes for `count` values, one after the other.
Values everything(const Elementwise& op, std::size_t count, bool rounded) {
    const auto n = static_cast<std::int64_t>(count);
    const Values x = drawn(count, 1), y = drawn(count, 2);
    Values all, out = x;
    std::vector<Bf16Bits> narrow(count);
    op.round(out.data(), narrow.data(), n);
    all.insert(all.end(), out.begin(), out.end());
    for (Bf16Bits bits : narrow) all.push_back(from_bf16(bits));
    op.swiglu({x.data(), y.data(), out.data(), n, 1.702f, 7.0f, rounded});
    all.insert(all.end(), out.begin(), out.end());
    out = x;
    op.add(out.data(), y.data(), n, rounded);
    op.accumulate(out.data(), 0.37f, x.data(), n);
    all.insert(all.end(), out.begin(), out.end());
    Values head = drawn(2 * count, 3);
    op.turn(head.data(), x.data(), y.data(), n);
    all.insert(all.end(), head.begin(), head.end());
    return all;
}

} // namespace

TEST_CASE("elementwise: every variant gives the reference's bits") {
    for (std::size_t count : {1u, 15u, 16u, 17u, 64u, 100u})
        for (bool rounded : {false, true}) {
            const Values want = everything(kElementwiseReference, count, rounded);
            for (const Elementwise& variant : elementwise_variants()) {
                if (!variant.available()) continue;
                INFO(variant.name << ", " << count);
                CHECK(same(everything(variant, count, rounded), want));
            }
            if (count > 1)
                CHECK_FALSE(same(want, everything(kElementwiseReference, count, !rounded)));
        }
}

TEST_CASE("elementwise: every variant is what the names say") {
    for (const Elementwise& op : elementwise_variants()) {
        if (!op.available()) continue;
        INFO(op.name);
        Values x = {1.0f, 2.0f};
        op.turn(x.data(), Values{0.0f}.data(), Values{1.0f}.data(), 1); // a quarter turn
        CHECK(x == Values{-2.0f, 1.0f});
        Values out(3);
        op.swiglu({Values{1.0f, 9.0f, 0.0f}.data(), Values{2.0f, -9.0f, 5.0f}.data(), out.data(), 3,
                   1.0f, 7.0f, false});
        CHECK(out[0] == 3.0f * logistic(1.0f));
        CHECK(out[1] == -6.0f * (7.0f * logistic(7.0f)));
        CHECK(out[2] == 0.0f);
    }
}
