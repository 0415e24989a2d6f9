#include "assay/stats/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace assay {

namespace {
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
}

double mean(std::span<const double> values) {
    if (values.empty()) return kNone;
    double sum = 0;
    for (double v : values) sum += v;
    return sum / static_cast<double>(values.size());
}

double variance(std::span<const double> values) {
    if (values.size() < 2) return kNone;
    // Two passes: exact enough where the mean is large against the spread.
    double m = mean(values), sum = 0;
    for (double v : values) sum += (v - m) * (v - m);
    return sum / static_cast<double>(values.size() - 1);
}

double quantile(std::span<const double> values, double q) {
    if (values.empty()) return kNone;
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    double at = std::clamp(q, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
    auto below = static_cast<std::size_t>(at);
    std::size_t above = std::min(below + 1, sorted.size() - 1);
    double part = at - static_cast<double>(below);
    return part == 0 ? sorted[below] : sorted[below] + part * (sorted[above] - sorted[below]);
}

double median(std::span<const double> values) {
    return quantile(values, 0.5);
}

double median_absolute_deviation(std::span<const double> values) {
    double middle = median(values);
    std::vector<double> distances;
    distances.reserve(values.size());
    for (double v : values) distances.push_back(std::abs(v - middle));
    return median(distances);
}

std::optional<double> relative_standard_error(double value, double standard_error) {
    if (value == 0) return std::nullopt;
    return standard_error / std::abs(value);
}

} // namespace assay
