// What a plan's settings JSON holds: all that a resume or a shard needs to build the same run.
#pragma once

#include "arguments.h"
#include "assay/api/suite.h"
#include "assay/api/task.h"
#include "assay/store/records.h"

#include <string>
#include <vector>

namespace assay {

struct PlanSettings {
    Settings suite, agent;
    TaskFilter filter;
    std::string sandbox, base;
    std::string image_map, image_map_file; // text and name
    double timeout_multiplier = 1;
    bool net_clock = false;
    Budget budget;
    std::optional<std::uint64_t> context_tokens;
    std::optional<int> logprobs;
    std::string prices; // text of --prices: a resume counts in the same money
    std::optional<double> max_cost;
    std::optional<std::uint64_t> keep_layer;

    static PlanSettings from(const RunArguments& arguments); // Error(Usage)
    static PlanSettings parse(const std::string& json);      // Error(Input)
    std::string json() const;
};

// {"key": "value"} of "key=value" words; Error(Usage) names the option.
Settings parse_settings(const std::vector<std::string>& words, std::string_view option);

} // namespace assay
