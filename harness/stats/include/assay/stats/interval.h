// Intervals for a share of successes out of n independent trials. Two-sided, each tail
// (1 - confidence) / 2. Pure functions; Error(Internal) on successes > n or a confidence outside
// (0, 1); n = 0 gives [0, 1].
#pragma once

#include <cstdint>

namespace assay {

struct Interval {
    double low = 0, high = 0;
};

// Wilson 1927 (score interval): close to the nominal coverage on average, also near 0 and 1.
Interval wilson(std::uint64_t successes, std::uint64_t n, double confidence = 0.95);
// Clopper & Pearson 1934 (exact): covers at least the nominal share, so it is wide.
Interval clopper_pearson(std::uint64_t successes, std::uint64_t n, double confidence = 0.95);
// Posterior Beta(c + 1/2, n - c + 1/2); 0 or 1 at the ends (Brown, Cai & DasGupta 2001).
Interval jeffreys(std::uint64_t successes, std::uint64_t n, double confidence = 0.95);
// value +- t * standard error, Student's t with `degrees` degrees of freedom; 0: the normal.
Interval around(double value, double standard_error, double degrees, double confidence = 0.95);

} // namespace assay
