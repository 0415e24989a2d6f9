// What Spawner fills in and ChildProcess works on.
#pragma once

#include "assay/io/spawner.h"

#include <mutex>
#include <optional>

namespace assay {

struct ChildProcess::State {
    int pid = -1;
    UniqueFd pidfd;
    bool detached = false;
    std::mutex mutex; // guards exit; held while signalling, so that the pid cannot be reaped
    std::optional<ChildExit> exit;

    bool reap(); // true if it has ended; the mutex must be held
};

} // namespace assay
