// `assay bench store`: the numbers of assay/store/bench.h, each followed by its yardstick of the
// same pass; medians over the passes.
#include "assay/base/fs.h"
#include "assay/store/bench.h"
#include "bench.h"

#include <algorithm>

namespace assay {

namespace {
constexpr int kPasses = 3;
}

std::vector<BenchNumber> bench_store(const BenchSettings& settings) {
    TempFolder folder("assay-bench");
    int scale = std::clamp(static_cast<int>(settings.seconds * 10'000), 1000, 200'000);
    StoreBenchOptions options{.events = scale, .turns = scale / 2, .finishes = 100};
    std::vector<BenchNumber> out;
    for (int pass = 0; pass < kPasses; ++pass) {
        std::size_t at = 0;
        for (const StoreBenchRow& row : bench_store(folder.path(), options)) {
            if (pass == 0) {
                out.push_back({row.name, row.unit});
                out.push_back({"    beside: " + row.yardstick, row.unit});
            }
            out[at++].samples.push_back(row.value);
            out[at++].samples.push_back(row.yardstick_value);
        }
    }
    for (BenchNumber& number : out) number.value = median(number.samples);
    out.front().goal = 20'000; // events a second, on two cores
    return out;
}

} // namespace assay
