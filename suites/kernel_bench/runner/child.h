// The process that holds the answer.
#pragma once

#include "wire.h"

#include <cstdint>

namespace kt_runner {

struct Arena { // memfds: the child maps inputs read-only
    int control_fd = -1, input_fd = -1, output_fd = -1;
    std::uint64_t input_bytes = 0, output_bytes = 0; // of all slots
};

// Never returns. Runs in a freshly forked process.
[[noreturn]] void child_main(const kt_wire::HelloBody& hello, const Arena& arena);

// System calls that no answer needs fail with EPERM from here on. `loaded`: the library is in, so
// files need not be opened any more. False if the kernel has no filters.
bool install_filter(bool loaded, bool threads);

int futex_wait(std::uint32_t* word, std::uint32_t value, int milliseconds);
void futex_wake(std::uint32_t* word);

} // namespace kt_runner
