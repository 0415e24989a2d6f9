// A blocking byte stream with cancellation: a pipe, a socket, a pty, a TLS session over another
// one. One reader and one writer may use it at the same time; close() may come from any thread.
#pragma once

#include "assay/base/cancel.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace assay {

class Stream {
  public:
    virtual ~Stream() = default;

    // Blocks until at least one byte is there; 0 is end of file. Throws Interrupted, Error(Io).
    virtual std::size_t read(std::span<char> into, const Cancel& cancel) = 0;
    // Writes all of it. A peer that is gone is Error(Io), never SIGPIPE.
    virtual void write(std::string_view data, const Cancel& cancel) = 0;
    virtual void shutdown_write() = 0; // the peer reads end of file; reading goes on
    virtual void close() = 0;          // idempotent; wakes a blocked reader with end of file
    virtual int poll_fd() const { return -1; } // for poll(2) over several streams, -1 if none
};

} // namespace assay
