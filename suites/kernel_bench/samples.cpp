#include "samples.h"

#include "assay/stats/bootstrap.h"
#include "assay/stats/summary.h"

#include <algorithm>
#include <cmath>

namespace assay::kernel_bench {

namespace {

// Only the samples are drawn again: the cases are what they are.
Interval of_samples(const std::vector<TaskScores>& samples, const Statistic& statistic) {
    BootstrapOptions options;
    options.replicates = 1000;
    options.families = options.tasks = false;
    auto [low, high] = bootstrap_interval(samples, statistic, options);
    return {low, statistic(samples), high};
}

} // namespace

double relative_standard_error(const std::vector<double>& values) {
    if (values.size() < 2) return 1;
    double error = std::sqrt(variance(values) / static_cast<double>(values.size()));
    return assay::relative_standard_error(mean(values), error).value_or(1);
}

bool settled(const std::vector<double>& values, double share) {
    if (values.size() < 3) return false;
    auto [low, high] = std::minmax_element(values.end() - 3, values.end());
    return *high <= *low * (1 + share);
}

Interval speedup(const std::vector<Pair>& cases) {
    if (cases.empty()) return {};
    std::vector<TaskScores> samples; // baseline and answer by turns
    for (const Pair& pair : cases) {
        samples.push_back({"", "", pair.baseline});
        samples.push_back({"", "", pair.answer});
    }
    return of_samples(samples, [](std::span<const TaskScores> drawn) {
        double logs = 0;
        for (std::size_t i = 0; i < drawn.size(); i += 2)
            logs += std::log(median(drawn[i].scores) / median(drawn[i + 1].scores));
        return std::exp(2 * logs / static_cast<double>(drawn.size())); // two a pair
    });
}

Interval median_interval(const std::vector<double>& values) {
    if (values.empty()) return {};
    return of_samples({{"", "", values}},
                      [](std::span<const TaskScores> drawn) { return median(drawn[0].scores); });
}

} // namespace assay::kernel_bench
