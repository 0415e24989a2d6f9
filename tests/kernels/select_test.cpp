#include "assay/kernels/select.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace assay::kernels;

namespace {

std::vector<std::int32_t> blocks(const std::vector<float>& scores, int top, int init, int local) {
    std::vector<std::int32_t> out(scores.size());
    out.resize(static_cast<std::size_t>(select_blocks(scores, top, init, local, out)));
    return out;
}

std::vector<std::int32_t> experts(const std::vector<float>& scores, const std::vector<float>& bias,
                                  std::size_t count) {
    std::vector<std::int32_t> out(count);
    select_experts(scores, bias, out);
    return out;
}

using Ids = std::vector<std::int32_t>;

} // namespace

TEST_CASE("blocks: the best and the forced ones, in ascending order") {
    CHECK(blocks({1}, 4, 0, 1) == Ids{0});
    CHECK(blocks({1, 2, 3, 4}, 4, 0, 1) == Ids{0, 1, 2, 3});
    CHECK(blocks({5, 9, 1, 7, 0}, 3, 0, 1) == Ids{1, 3, 4}); // its own though it is the worst
    CHECK(blocks({5, 9, 1, 7, 0}, 3, 0, 2) == Ids{1, 3, 4});
    CHECK(blocks({5, 9, 8, 1, 0}, 3, 0, 2) == Ids{1, 3, 4}); // two local ones leave one place
    CHECK(blocks({0, 9, 8, 1, 0}, 3, 1, 1) == Ids{0, 1, 4}); // the first one forced, too
    CHECK(blocks({0, 9, 8, 1, 0}, 2, 2, 2) == Ids{3, 4});    // local ones come first
    CHECK(blocks({3, 3, 3, 3, 0}, 3, 0, 1) == Ids{0, 1, 4}); // equal: the lower
    CHECK(blocks({1, 2}, 4, 2, 2) == Ids{0, 1});             // both kinds, the same blocks
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(blocks({nan, -5, nan, 0, 1}, 3, 0, 1) == Ids{1, 3, 4});
}

TEST_CASE("experts: the bias decides the choice, equal sums the lower number") {
    CHECK(experts({0.1f, 0.9f, 0.5f, 0.7f}, {}, 2) == Ids{1, 3});
    CHECK(experts({0.1f, 0.9f, 0.5f, 0.7f}, {1, 0, 0, 0}, 2) == Ids{0, 1});
    CHECK(experts({0.5f, 0.5f, 0.5f}, {}, 2) == Ids{0, 1});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(experts({nan, 0.1f, 0.2f}, {}, 2) == Ids{1, 2});
}
