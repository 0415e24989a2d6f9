// The hierarchical bootstrap: families, tasks within a family, and attempts within a task are drawn
// again with replacement. The same seed gives the same replicates on every machine, whatever runs
// beside it. Families of different size change the number of tasks between replicates; the
// statistic sees what was drawn.
#pragma once

#include "assay/stats/interval.h"
#include "assay/stats/score.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace assay {

struct BootstrapOptions {
    int replicates = 2000;
    std::uint64_t seed = 0;
    // The levels that are drawn again: all three for a claim about new tasks, attempts only for one
    // about these tasks.
    bool families = true, tasks = true, attempts = true;
};

using Statistic = std::function<double(std::span<const TaskScores>)>;

// One value a replicate, in replicate order.
std::vector<double> bootstrap(std::span<const TaskScores> tasks, const Statistic& statistic,
                              const BootstrapOptions& options);
// Percentile interval of the replicates.
Interval bootstrap_interval(std::span<const TaskScores> tasks, const Statistic& statistic,
                            const BootstrapOptions& options, double confidence = 0.95);

} // namespace assay
