// What timing samples need beyond harness/stats.
#pragma once

#include <vector>

namespace assay::kernel_bench {

double relative_standard_error(const std::vector<double>& values); // of the mean; 1 if n < 2
// The last three lie within `share` of one another.
bool settled(const std::vector<double>& values, double share);

struct Interval {
    double low = 0, middle = 0, high = 0;
};

struct Pair { // times of one case
    std::vector<double> baseline, answer;
};

// Geometric mean over the cases of median(baseline) / median(answer), with the 95 % interval of a
// bootstrap over the samples (1000 rounds; the same samples give the same interval).
Interval speedup(const std::vector<Pair>& cases);
// 95 % interval of the median.
Interval median_interval(const std::vector<double>& values);

} // namespace assay::kernel_bench
