// Plain summaries of numbers. Pure functions; an empty input gives NaN, never an exception.
#pragma once

#include <optional>
#include <span>

namespace assay {

double mean(std::span<const double> values);
double variance(std::span<const double> values); // unbiased, n - 1; NaN for fewer than two
// Linear interpolation between order statistics (Hyndman & Fan 1996, type 7: R's and NumPy's
// default). 0 <= q <= 1.
double quantile(std::span<const double> values, double q);
double median(std::span<const double> values);
// Median absolute deviation from the median, unscaled; x 1.4826 estimates a normal's sigma.
double median_absolute_deviation(std::span<const double> values);
// standard_error / |value|; nullopt if the value is 0.
std::optional<double> relative_standard_error(double value, double standard_error);

} // namespace assay
