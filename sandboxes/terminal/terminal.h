// A Terminal over a process on a pty: one thread reads, while it is open.
#pragma once

#include "assay/api/sandbox.h"

#include <memory>

namespace assay {

std::unique_ptr<Terminal> make_terminal(std::unique_ptr<Process> process,
                                        const TerminalOptions& options);

} // namespace assay
