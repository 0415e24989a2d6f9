// What the benches share: medians and how a result is shown. docs/performance.md says what each
// number means.
#pragma once

#include <string>
#include <vector>

namespace assay {

struct BenchNumber {
    std::string name, unit;
    double value = 0;              // the median
    std::vector<double> samples{}; // raw
    double goal = 0;               // 0: none
    bool at_least = true;          // the goal is a lower bound, else an upper one
};

double median(std::vector<double> samples);
void print_bench(const std::vector<BenchNumber>& numbers, bool json);

struct BenchSettings {
    double seconds = 3;
    int jobs = 0; // 0: the bench's own
    std::string sandbox, state;
};
std::vector<BenchNumber> bench_harness(const BenchSettings& settings);
std::vector<BenchNumber> bench_store(const BenchSettings& settings);
std::vector<BenchNumber> bench_sandbox(const BenchSettings& settings);

} // namespace assay
