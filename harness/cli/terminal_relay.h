// This terminal joined to a shell on a pty inside a sandbox: raw mode, resizes follow.
#pragma once

#include "assay/api/sandbox.h"

namespace assay {

// Returns the shell's exit code. Without a terminal on standard input the shell reads commands from
// it and there is no pty.
int relay_terminal(Sandbox& sandbox, const Cancel& cancel);

} // namespace assay
