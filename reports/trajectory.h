// One try as the report's trajectory browser wants it: a flat list of items in order.
#pragma once

#include "assay/store/reader.h"

#include <cstddef>
#include <string>

namespace assay {

struct TrajectoryLimits {
    std::size_t text = 256 * 1024; // of one text; longer ones keep head and tail
    std::size_t total = 8 * 1024 * 1024;
};

// {"began":µs,"items":[{"k":"message","t":1.2,...},...],"cast":"...","cut":0}; docs/report.md has
// the keys of each item. `cut` counts the items left out because of the limits.
std::string trajectory_json(RunReader& reader, const TryRow& row, const TrajectoryLimits& limits);

} // namespace assay
