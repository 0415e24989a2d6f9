// Terminal-Bench 2.x and every other data set of Harbor task folders, unmodified.
// Settings: verifier = official (default) | compat; see docs/suites/terminal-bench.md.
#pragma once

#include "assay/api/suite.h"

#include <memory>

namespace assay {

std::unique_ptr<Suite> make_terminal_bench(const Settings& settings);

} // namespace assay
