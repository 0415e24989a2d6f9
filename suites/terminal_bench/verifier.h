// Verification: the task's test.sh, in the agent's environment or in one of its own.
#pragma once

#include "assay/api/suite.h"
#include "assay/api/trial.h"
#include "harbor_task.h"

namespace assay::terminal_bench {

enum class VerifierMode {
    Official, // test.sh as it is: it installs its own tools from the network
    Compat,   // stand-ins for uvx, pytest and pip are first in PATH; written on the score
};

// Throws Error(Verifier), beginning with Harbor's name of the error, if there is no usable reward.
ScoreResult verify(const HarborTask& task, VerifierMode mode, TrialContext& context);

} // namespace assay::terminal_bench
