// Runs a tool of this machine (skopeo, buildah, nft, ip…) to its end with bounded output.
#pragma once

#include "assay/io/spawner.h"

#include <cstddef>
#include <optional>

namespace assay {

struct CommandOptions {
    std::optional<std::vector<std::string>> environment; // nullopt: ours
    std::string cwd;
    std::string input; // given on stdin
    std::optional<Nanoseconds> timeout;
    std::size_t output_limit = 256 * 1024; // bytes kept of stdout and of stderr each
};

struct CommandResult {
    ChildExit exit;
    bool timed_out = false; // ended by the timeout; `exit` is that of the kill
    std::string out, err;   // head and tail if cut
    bool ok() const { return exit.ok() && !timed_out; }
};

// Output is read until end of file or 250 ms after the exit, whichever comes first, since a
// daemonised grandchild may hold the pipes open. On timeout: SIGTERM to the group, 2 s, SIGKILL.
// When cancelled the group is killed at once and Interrupted is thrown.
CommandResult run_command(Spawner& spawner, std::vector<std::string> argv, CommandOptions options,
                          const Cancel& cancel);

// The same, but a failure is an Error(Io) with the command line and the end of its stderr.
// Returns stdout.
std::string run_checked(Spawner& spawner, std::vector<std::string> argv, CommandOptions options,
                        const Cancel& cancel);

} // namespace assay
