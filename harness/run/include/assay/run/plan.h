// From a suite and what is compared to the list of attempts, fixed before the first trial.
#pragma once

#include "assay/api/suite.h"
#include "assay/api/task.h"
#include "assay/store/records.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct PlanRequest {
    std::string source; // --tasks; empty: the suite's samples
    std::uint64_t seed = 0;
    int attempts = 1;
    std::string settings = "{}"; // JSON, what a resume needs to build the same run again
    std::vector<ArmRecord> arms; // ids and labels are filled in
    Id run;                      // random for a new run
};

// Order: for each attempt, for each task, for each arm. Slot ids follow from run, arm, task and
// attempt, so every shard of a plan has the same ones. Throws Error(Usage) if nothing is left.
PlanRecord make_plan(const SuiteInfo& suite, const TaskSet& tasks, PlanRequest request);

// Slots index, index+count, ... of the plan's order: each shard gets a fair mix. From 1.
std::vector<SlotRecord> shard_slots(const std::vector<SlotRecord>& slots, int index, int count);

// "2/8" -> {2, 8}; throws Error(Usage).
std::pair<int, int> parse_shard(std::string_view text);

} // namespace assay
