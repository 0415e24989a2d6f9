// The report: one HTML file that opens from disk, made from finished runs (or from runs that still
// go on: it shows what is there). Reads only the store.
#pragma once

#include "assay/base/fs.h"

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

struct ReportOptions {
    std::string title;                                  // empty: the suites' names
    std::uint64_t trajectory_budget = 10 * 1024 * 1024; // bytes of compressed trajectories
};

// The whole file as text. Throws Error(Input) if a run cannot be read.
std::string render_report(const std::vector<Path>& runs, const ReportOptions& options);

// The leaderboard of the runs as plain text columns, for the end of `assay run`.
std::string leaderboard_text(const std::vector<Path>& runs);

// What no score tells, a line each: tasks whose own solution does not pass, replays that parted
// from their recording. Task names and messages are as they came.
std::vector<std::string> findings(const Path& run);

} // namespace assay
