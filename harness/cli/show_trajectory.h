// An attempt's story for people and as JSON: phases, model calls with what was said, tool calls and
// their results, commands, scores.
#pragma once

#include "assay/store/reader.h"

#include <nlohmann/json_fwd.hpp>

namespace assay {

void print_trajectory(RunReader& reader, const TryRow& row); // to standard output
// Adds "scores", "calls", "events", "artifacts" and "measurements".
void add_trajectory(RunReader& reader, std::int64_t try_row, nlohmann::ordered_json& attempt);

} // namespace assay
