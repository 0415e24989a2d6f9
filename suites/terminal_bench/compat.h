// The compat verifier's stand-ins (suites/terminal_bench/compat): uvx, pip, curl, pytest with a
// --ctrf plug-in. They are put into the sandbox for verification only, as root's, read-only.
#pragma once

#include "assay/api/sandbox.h"

#include <map>
#include <string>

namespace assay::terminal_bench {

// Puts the stand-ins and sets PATH and PYTHONPATH in `environment` so that they come first.
void install_compat(Sandbox& sandbox, std::map<std::string, std::string>& environment,
                    const Cancel& cancel);

} // namespace assay::terminal_bench
