// The speed of the store, for `assay bench store`: each number beside a yardstick that was measured
// in the same run, on the same disk, with the same bytes. Takes some seconds.
#pragma once

#include "assay/base/fs.h"

#include <string>
#include <vector>

namespace assay {

struct StoreBenchRow {
    std::string name;
    double value = 0;
    std::string unit;
    std::string yardstick;      // what the other number is, in words; same unit
    double yardstick_value = 0; // ratio is value / yardstick_value
    double ratio = 0;
};

struct StoreBenchOptions {
    int events = 100'000; // 1 KiB of JSON and a distinct blob of 5 KiB each
    int turns = 40'000;   // a call with two messages and three events with small blobs
    int finishes = 200;   // durable ends of a try
};

// Writes into files below `folder` and removes them.
std::vector<StoreBenchRow> bench_store(const Path& folder, const StoreBenchOptions& options);

} // namespace assay
