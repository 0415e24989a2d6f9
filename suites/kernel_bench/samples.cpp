#include "samples.h"

#include "assay/base/random.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace assay::kernel_bench {

namespace {

constexpr int kRounds = 1000;

std::vector<double> resample(const std::vector<double>& values, Random& random) {
    std::vector<double> out(values.size());
    for (double& v : out) v = values[random.below(values.size())];
    return out;
}

Interval bootstrap(double middle, const std::function<double(Random&)>& draw) {
    CounterRandom random("kernel_bench/bootstrap");
    std::vector<double> draws;
    for (int i = 0; i < kRounds; ++i) draws.push_back(draw(random));
    std::sort(draws.begin(), draws.end());
    return {draws[kRounds * 25 / 1000], middle, draws[kRounds * 975 / 1000 - 1]};
}

} // namespace

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::size_t half = values.size() / 2;
    std::nth_element(values.begin(), values.begin() + static_cast<long>(half), values.end());
    double upper = values[half];
    if (values.size() % 2 == 1) return upper;
    return (upper + *std::max_element(values.begin(), values.begin() + static_cast<long>(half))) /
           2;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (double v : values) sum += v;
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double relative_standard_error(const std::vector<double>& values) {
    if (values.size() < 2) return 1;
    double m = mean(values), squares = 0;
    for (double v : values) squares += (v - m) * (v - m);
    auto n = static_cast<double>(values.size());
    return m > 0 ? std::sqrt(squares / (n - 1) / n) / m : 1;
}

bool settled(const std::vector<double>& values, double share) {
    if (values.size() < 3) return false;
    auto [low, high] = std::minmax_element(values.end() - 3, values.end());
    return *high <= *low * (1 + share);
}

Interval speedup(const std::vector<Pair>& cases) {
    if (cases.empty()) return {};
    auto geomean = [&](const std::function<std::vector<double>(const std::vector<double>&)>& pick) {
        double logs = 0;
        for (const Pair& pair : cases)
            logs += std::log(median(pick(pair.baseline)) / median(pick(pair.answer)));
        return std::exp(logs / static_cast<double>(cases.size()));
    };
    return bootstrap(geomean([](const std::vector<double>& v) { return v; }), [&](Random& random) {
        return geomean([&](const std::vector<double>& v) { return resample(v, random); });
    });
}

Interval median_interval(const std::vector<double>& values) {
    if (values.empty()) return {};
    return bootstrap(median(values),
                     [&](Random& random) { return median(resample(values, random)); });
}

} // namespace assay::kernel_bench
