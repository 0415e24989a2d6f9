// The control socket of one sandbox: first of the child that becomes it, then of its assay-init.
// Thread-safe: requests take turns, and each is answered in well under a millisecond.
#pragma once

#include "assay/api/sandbox.h"
#include "assay/base/fd.h"
#include "wire/wire.h"

#include <mutex>
#include <string>
#include <vector>

namespace assay::local {

struct Reply {
    std::string payload;
    std::vector<UniqueFd> fds;
    int error = 0;     // errno of a refusal
    std::string stage; // and what it was about
    int sender_pid = 0;
};

class Channel {
  public:
    Channel(UniqueFd socket, std::string name);

    void send(wire::Op op, std::string_view payload, const std::vector<int>& fds = {});
    // Waits for the answer. Throws SandboxLost, Interrupted.
    Reply request(wire::Op op, std::string_view payload, const std::vector<int>& fds,
                  const Cancel& cancel);
    // The message that comes by itself: Hello, or Failed as an error in the reply.
    Reply wait_hello(const Cancel& cancel);
    // The prepared child does something else than to become a sandbox, and ends.
    Reply errand(wire::Op op, std::string_view payload, const std::vector<int>& fds,
                 const Cancel& cancel);
    void rename(std::string name); // in messages; before others use it
    // While it is held only this thread sends: nothing new can begin in the sandbox.
    std::unique_lock<std::recursive_mutex> hold() { return std::unique_lock(mutex_); }
    bool alive() const; // the other end is open
    void close();       // init ends, and all that runs in the sandbox with it

  private:
    Reply receive(std::uint32_t id, wire::Op expected, const Cancel& cancel);

    std::string name_;
    mutable std::recursive_mutex mutex_;
    UniqueFd socket_;
    std::uint32_t next_id_ = 1;
};

// socketpair(SOCK_SEQPACKET), both close-on-exec.
std::pair<UniqueFd, UniqueFd> message_sockets();

} // namespace assay::local
