#include "assay/base/error.h"
#include "assay/stats/bootstrap.h"
#include "assay/stats/score.h"
#include "assay/stats/summary.h"
#include "catch.h"

#include <array>
#include <cmath>

using namespace assay;

namespace {

TaskScores task(std::string family, std::vector<double> scores) {
    return {"t", std::move(family), std::move(scores)};
}

// `passed` of 5 attempts, each task a family of its own.
TaskScores five(int passed) {
    std::vector<double> scores(5, 0.0);
    for (int i = 0; i < passed; ++i) scores[static_cast<std::size_t>(i)] = 1;
    return task("", scores);
}

Approx near(double value) {
    return Approx(value).epsilon(1e-9).margin(1e-12);
}

} // namespace

TEST_CASE("stats: summaries of small lists") {
    std::array<double, 5> values = {9, 2, 4, 7, 1};
    CHECK(mean(values) == near(4.6));
    CHECK(variance(values) == near(11.3)); // Python: statistics.variance
    CHECK(median(values) == 4);
    CHECK(median_absolute_deviation(values) == 3);
    CHECK(quantile(values, 0.25) == 2); // numpy.quantile of the same: 2, 5.5 at 0.625
    CHECK(quantile(values, 0.625) == near(5.5));
    CHECK(quantile(values, 0) == 1);
    CHECK(quantile(values, 1) == 9);
    CHECK(std::isnan(mean({})));
    CHECK(std::isnan(median({})));
    CHECK(std::isnan(variance(std::span(values).first(1))));
    CHECK(relative_standard_error(-2, 0.5) == 0.25);
    CHECK_FALSE(relative_standard_error(0, 0.5).has_value());
    // A large mean must not swallow the spread (NIST StRD NumAcc4: standard deviation 0.1).
    std::vector<double> shifted = {10000000.2};
    for (int i = 0; i < 500; ++i) {
        shifted.push_back(10000000.1);
        shifted.push_back(10000000.3);
    }
    CHECK(std::sqrt(variance(shifted)) == Approx(0.1).epsilon(1e-7));
}

// Bounds from mpmath 1.3 at 30 digits (bisection on betainc); Wilson from the formula there.
TEST_CASE("stats: intervals for a share") {
    struct Case {
        std::uint64_t c, n;
        Interval exact, jeffreys, wilson;
    };
    const Case cases[] = {
        {8,
         10,
         {0.443904537692, 0.974789273673},
         {0.49722550356, 0.955940586447},
         {0.490162471537, 0.943317848546}},
        {0, 10, {0, 0.308497107819}, {0, 0.217196267509}, {0, 0.277532799863}},
        {10, 10, {0.691502892181, 1}, {0.782803732491, 1}, {0.722467200137, 1}},
        {47,
         89,
         {0.419372402751, 0.634885504672},
         {0.424868408864, 0.629517194372},
         {0.425375474295, 0.628479775973}},
        {1,
         500,
         {5.06343340074e-5, 0.011092476899},
         {0.000215879975773, 0.00930948168551},
         {0.000353136394559, 0.0112407067051}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.c, c.n);
        CHECK(clopper_pearson(c.c, c.n).low == near(c.exact.low));
        CHECK(clopper_pearson(c.c, c.n).high == near(c.exact.high));
        CHECK(jeffreys(c.c, c.n).low == near(c.jeffreys.low));
        CHECK(jeffreys(c.c, c.n).high == near(c.jeffreys.high));
        CHECK(wilson(c.c, c.n).low == near(c.wilson.low));
        CHECK(wilson(c.c, c.n).high == near(c.wilson.high));
    }
    CHECK(wilson(0, 0).high == 1);
    CHECK_THROWS_AS(wilson(3, 2), Error);
    CHECK_THROWS_AS(jeffreys(1, 2, 1.0), Error);
    CHECK(around(0.5, 0.1, 0).high == near(0.5 + 0.195996398454005)); // z of tables: 1.959964
    CHECK(around(0.5, 0.1, 2).low == near(0.5 - 0.430265272974946));  // t(2): 4.302653
}

// The definition of a 95 % interval, by adding up the binomial distribution.
TEST_CASE("stats: Clopper-Pearson covers at least as often as it says, Wald does not") {
    auto coverage = [](int n, double p, auto interval) {
        double covered = 0, mass = std::pow(1 - p, n);
        for (int c = 0; c <= n; ++c) {
            Interval i = interval(static_cast<std::uint64_t>(c), static_cast<std::uint64_t>(n));
            if (i.low <= p && p <= i.high) covered += mass;
            mass *= static_cast<double>(n - c) / (c + 1) * p / (1 - p);
        }
        return covered;
    };
    auto wald = [](std::uint64_t c, std::uint64_t n) {
        double p = static_cast<double>(c) / static_cast<double>(n);
        double half = 1.96 * std::sqrt(p * (1 - p) / static_cast<double>(n));
        return Interval{p - half, p + half};
    };
    for (double p : {0.02, 0.1, 0.37, 0.5, 0.9}) {
        CAPTURE(p);
        CHECK(coverage(30, p, [](auto c, auto n) { return clopper_pearson(c, n); }) >= 0.95);
        CHECK(coverage(30, p, [](auto c, auto n) { return wilson(c, n); }) > 0.88);
    }
    CHECK(coverage(30, 0.02, wald) < 0.5);
}

TEST_CASE("stats: pass@k and pass^k") {
    // mpmath: 1 - binomial(n-c,k)/binomial(n,k), binomial(c,k)/binomial(n,k)
    CHECK(pass_at_k(200, 17, 10) == near(0.597448901579912));
    CHECK(pass_at_k(5, 2, 2) == near(0.7));
    CHECK(pass_at_k(10000, 3, 100) == near(0.0297039407881576));
    CHECK(pass_at_k(10, 0, 3) == 0);
    CHECK(pass_at_k(10, 10, 3) == 1);
    CHECK(pass_at_k(10, 8, 3) == 1); // two failures cannot fill three draws
    CHECK(pass_hat_k(8, 6, 4) == near(0.214285714285714));
    CHECK(pass_hat_k(200, 190, 10) == near(0.591452133918583));
    CHECK(pass_hat_k(10000, 9990, 100) == near(0.90434094148269));
    CHECK(pass_hat_k(10, 2, 3) == 0);
    CHECK_THROWS_AS(pass_at_k(4, 1, 5), Error);
    CHECK_THROWS_AS(pass_hat_k(4, 5, 1), Error);
    std::vector<TaskScores> tasks = {five(2), five(5)};
    CHECK(*pass_at_k(tasks, 2) == near((0.7 + 1) / 2));
    CHECK(*pass_hat_k(tasks, 2) == near((0.1 + 1) / 2));
    CHECK_FALSE(pass_at_k(tasks, 6).has_value());
    CHECK(*pass_at_k(tasks, 1) == near(*pass_hat_k(tasks, 1)));
}

TEST_CASE("stats: the conditional error is Terminal-Bench's") {
    // 5 attempts a task: p(1-p)/(n-1) is 0, .04, .06, .06, .04, 0 (leaderboard's SQL).
    const double v[] = {0, .04, .06, .06, .04, 0};
    for (int passed = 0; passed <= 5; ++passed) {
        std::vector<TaskScores> one = {five(passed)};
        CHECK(*estimate(one).conditional_error == near(std::sqrt(v[passed])));
    }
    // 89 tasks, 30 of them at 3 of 5, the rest at 0 or 1: 1.51 points.
    std::vector<TaskScores> tasks;
    for (int i = 0; i < 89; ++i) tasks.push_back(five(i < 30 ? 3 : i % 2 == 0 ? 5 : 0));
    Estimate e = estimate(tasks);
    CHECK(*e.conditional_error == near(std::sqrt(30 * .06) / 89));
    CHECK(*e.conditional_error == Approx(0.0151).epsilon(0.005));
    CHECK(e.tasks == 89);
    CHECK(e.families == 89);
    CHECK(e.attempts == 445);
}

TEST_CASE("stats: both errors on a mixed run, against an independent computation") {
    // Python: statistics.variance per task; family sums of the deviations of task means.
    std::vector<TaskScores> tasks = {task("a", {1, 0, 1, 1}), task("a", {1, 1, 1, 1}),
                                     task("a", {0, 0, 1, 0}), task("b", {1, 0}),
                                     task("b", {0, 0, 0}),    task("c", {0.5, 0.75})};
    Estimate e = estimate(tasks);
    CHECK(e.value == near(0.5208333333333334));
    CHECK(*e.conditional_error == near(0.10416666666666667));
    CHECK(*e.generalising_error == near(0.14370973671232554));
    CHECK(e.families == 3);
    // With every task its own family it is the plain standard error of the mean of task means,
    // as Miller's eq. 4 then is too.
    std::vector<double> means;
    for (TaskScores& t : tasks) {
        t.family.clear();
        means.push_back(mean(t.scores));
    }
    CHECK(*estimate(tasks).generalising_error == near(std::sqrt(variance(means) / 6)));
}

TEST_CASE("stats: errors that cannot be known are absent") {
    std::vector<TaskScores> singles = {task("f", {1}), task("f", {0})};
    CHECK_FALSE(estimate(singles).conditional_error.has_value());
    CHECK_FALSE(estimate(singles).generalising_error.has_value()); // one family
    CHECK(estimate(singles).single_attempt_tasks == 2);
    // A single attempt beside others borrows their mean variance: 0.3 and 0.2, here 0.25.
    std::vector<TaskScores> mixed = {five(2), five(1), task("", {1})};
    CHECK(*estimate(mixed).conditional_error ==
          near(std::sqrt(0.3 / 5 + 0.2 / 5 + (0.3 + 0.2) / 2) / 3));
    CHECK(estimate({}).tasks == 0);
    std::vector<TaskScores> empty = {task("", {})};
    CHECK_THROWS_AS(estimate(empty), Error);
}

TEST_CASE("stats: the bootstrap repeats itself and agrees with the formulas") {
    std::vector<TaskScores> tasks;
    for (int i = 0; i < 60; ++i) {
        tasks.push_back(five(i % 6));
        tasks.back().family = "f" + std::to_string(i % 20);
    }
    Statistic value = [](std::span<const TaskScores> t) { return estimate(t).value; };
    auto again = bootstrap(tasks, value, {.replicates = 400, .seed = 7});
    CHECK(again == bootstrap(tasks, value, {.replicates = 400, .seed = 7}));
    auto fewer = bootstrap(tasks, value, {.replicates = 10, .seed = 7});
    CHECK(std::equal(fewer.begin(), fewer.end(), again.begin()));
    CHECK(again != bootstrap(tasks, value, {.replicates = 400, .seed = 8}));

    Estimate e = estimate(tasks);
    auto attempts_only =
        bootstrap(tasks, value, {.replicates = 4000, .families = false, .tasks = false});
    // Drawing 5 of 5 with replacement has the variance p(1-p)/5, the unbiased one is over 4.
    CHECK(std::sqrt(variance(attempts_only)) ==
          Approx(*e.conditional_error * std::sqrt(0.8)).epsilon(0.05));
    auto families_only =
        bootstrap(tasks, value, {.replicates = 4000, .tasks = false, .attempts = false});
    CHECK(std::sqrt(variance(families_only)) ==
          Approx(*e.generalising_error * std::sqrt(19.0 / 20)).epsilon(0.05));
    Interval interval = bootstrap_interval(tasks, value, {});
    CHECK(interval.low < e.value);
    CHECK(interval.high > e.value);
    auto nothing = bootstrap(
        tasks, value, {.replicates = 3, .families = false, .tasks = false, .attempts = false});
    for (double v : nothing) CHECK(v == near(e.value));
}
