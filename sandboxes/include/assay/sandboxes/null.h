// A backend whose sandboxes do nothing: commands are answered by a function, files live in memory.
// For tests of everything above a sandbox, and for measuring the harness itself. It isolates
// nothing because it runs nothing.
#pragma once

#include "assay/api/environment.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace assay {

struct NullOptions {
    // What a command answers; empty: success, no output. May throw what a real sandbox throws.
    // Called from any thread, several at a time.
    std::function<ExecResult(Sandbox&, const std::vector<std::string>& argv, const ExecOptions&,
                             const Cancel&)>
        answer;
    // Called before an environment starts; may throw, to plant a failure.
    std::function<void(const EnvironmentSpec&)> on_start;
};

std::unique_ptr<SandboxBackend> make_null_backend(NullOptions options = {});

} // namespace assay
