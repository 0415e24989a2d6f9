#include "assay/stats/summary.h"
#include "catch.h"

#include <cmath>

using namespace assay;

TEST_CASE("the conditional standard error is the Terminal-Bench leaderboard's") {
    // 89 tasks with 5 attempts, 30 of them at p = 0.6, the rest at 0 or 1: sqrt(30 * 0.06) / 89.
    TaskOutcomes tasks;
    for (int i = 0; i < 30; ++i) tasks.push_back({1, 1, 1, 0, 0});
    for (int i = 0; i < 59; ++i) tasks.push_back(std::vector<double>(5, i % 2 == 0 ? 1.0 : 0.0));
    REQUIRE(conditional_standard_error(tasks).value() == Approx(std::sqrt(30 * 0.06) / 89));
    REQUIRE(conditional_standard_error(tasks).value() == Approx(0.0151).margin(0.00005));
    tasks.push_back({1});
    REQUIRE_FALSE(conditional_standard_error(tasks));
}

TEST_CASE("the clustered standard error grows when tasks of a family agree") {
    TaskOutcomes tasks = {{1}, {1}, {0}, {0}, {1}, {0}};
    REQUIRE(mean_of_means(tasks) == Approx(0.5));
    // Every task a cluster of its own: sqrt(6 * 0.25) / 6.
    REQUIRE(clustered_standard_error(tasks, {"a", "b", "c", "d", "e", "f"}).value() ==
            Approx(std::sqrt(1.5) / 6));
    // Two agreeing pairs: residuals 1, -1, .5, -.5.
    REQUIRE(clustered_standard_error(tasks, {"a", "a", "b", "b", "c", "d"}).value() ==
            Approx(std::sqrt(2.5) / 6));
    REQUIRE_FALSE(clustered_standard_error(tasks, {"a", "a", "a", "a", "a", "a"}));
}
