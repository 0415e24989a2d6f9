#include "assay/base/fs.h"
#include "assay/store/bench.h"
#include "catch.h"

#include <cstdio>

using namespace assay;

TEST_CASE("store bench: gives its numbers beside yardsticks and cleans up") {
    TempFolder folder;
    auto rows = bench_store(folder.path(), {.events = 50, .turns = 100, .finishes = 3});
    REQUIRE(rows.size() == 6);
    for (const StoreBenchRow& row : rows) {
        CHECK(row.value > 0);
        CHECK(row.ratio == Approx(row.value / row.yardstick_value));
    }
    CHECK(std::filesystem::is_empty(folder.path()));
}

// test_unit_store [.bench]: the real size, for a look at a profile.
TEST_CASE("store bench: in full", "[.bench]") {
    TempFolder folder;
    for (const StoreBenchRow& row : bench_store(folder.path(), {}))
        std::printf("%-62s %10.1f %-4s %10.1f  %.2f  (%s)\n", row.name.c_str(), row.value,
                    row.unit.c_str(), row.yardstick_value, row.ratio, row.yardstick.c_str());
}
