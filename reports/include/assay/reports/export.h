// Exports for other tools. Each reads one run and writes whole files; names from a run that become
// file names are cleaned first.
#pragma once

#include "assay/base/fs.h"

#include <string>

namespace assay {

// ATIF 1.7 trajectories: `out` is a folder, one JSON file an attempt.
void export_atif(const Path& run, const Path& out);
// A Harbor job folder (out/<trial>/result.json, agent/trajectory.json, verifier/...).
void export_harbor(const Path& run, const Path& out);
// One line an attempt, RFC 4180.
std::string export_csv(const Path& run);
// JUnit XML: failures are scores below 1, errors are infrastructure and verifier errors.
std::string export_junit(const Path& run);

} // namespace assay
