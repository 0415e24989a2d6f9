#include "assay/stats/interval.h"

#include "assay/base/error.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <cmath>

namespace assay {

namespace {

void check(std::uint64_t successes, std::uint64_t n, double confidence) {
    if (successes > n)
        throw Error(ErrorKind::Internal, "an interval was asked for more successes than trials");
    if (!(confidence > 0 && confidence < 1))
        throw Error(ErrorKind::Internal, "a confidence lies between 0 and 1");
}

double beta_quantile(double a, double b, double p) {
    return boost::math::quantile(boost::math::beta_distribution<>(a, b), p);
}

double normal_quantile(double p) {
    return boost::math::quantile(boost::math::normal(), p);
}

} // namespace

Interval wilson(std::uint64_t successes, std::uint64_t n, double confidence) {
    check(successes, n, confidence);
    if (n == 0) return {0, 1};
    double z = normal_quantile(0.5 + confidence / 2);
    auto trials = static_cast<double>(n);
    double p = static_cast<double>(successes) / trials;
    double scale = 1 + z * z / trials;
    double centre = (p + z * z / (2 * trials)) / scale;
    double half = z * std::sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials)) / scale;
    // At the ends the limit is 0 or 1 exactly, but for rounding.
    return {successes == 0 ? 0 : std::max(0.0, centre - half),
            successes == n ? 1 : std::min(1.0, centre + half)};
}

Interval clopper_pearson(std::uint64_t successes, std::uint64_t n, double confidence) {
    check(successes, n, confidence);
    double tail = (1 - confidence) / 2;
    auto c = static_cast<double>(successes), rest = static_cast<double>(n - successes);
    return {successes == 0 ? 0 : beta_quantile(c, rest + 1, tail),
            successes == n ? 1 : beta_quantile(c + 1, rest, 1 - tail)};
}

Interval jeffreys(std::uint64_t successes, std::uint64_t n, double confidence) {
    check(successes, n, confidence);
    double tail = (1 - confidence) / 2;
    auto c = static_cast<double>(successes), rest = static_cast<double>(n - successes);
    return {successes == 0 ? 0 : beta_quantile(c + 0.5, rest + 0.5, tail),
            successes == n ? 1 : beta_quantile(c + 0.5, rest + 0.5, 1 - tail)};
}

Interval around(double value, double standard_error, double degrees, double confidence) {
    check(0, 0, confidence);
    double p = 0.5 + confidence / 2;
    double factor = degrees > 0 ? boost::math::quantile(boost::math::students_t(degrees), p)
                                : normal_quantile(p);
    return {value - factor * standard_error, value + factor * standard_error};
}

} // namespace assay
