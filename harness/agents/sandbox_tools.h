// The built-in tools of the agent "tools": they act in the trial's main sandbox with the rights of
// its default user, exactly as a shell there would, and never with the harness's own.
#pragma once

#include "assay/api/tool.h"
#include "assay/api/trial.h"

#include <memory>
#include <string>

namespace assay {

struct ShellLimits {
    double timeout_seconds = 120; // of a call that names none
    double max_timeout_seconds = 1800;
    std::size_t output_bytes = 32 * 1024; // shown to the model, head and tail
};

// bash -c, each call in a shell of its own. Output of both streams in order, then the exit code.
std::unique_ptr<Tool> make_shell_tool(TrialContext& context, const ShellLimits& limits);

// view, create, replace, insert.
std::unique_ptr<Tool> make_file_tool(TrialContext& context);

// Hands in the answer; sets `done`, which must outlive the tool.
std::unique_ptr<Tool> make_submit_tool(TrialContext& context, bool& done);

} // namespace assay
