// The way out of a sandbox with a public network: pasta (package passt), one process a sandbox,
// outside of the sandbox's cgroup. It copies traffic at the level of sockets, as an ordinary
// process of this machine; the inside has no way to the machine's loopback through it.
#pragma once

#include "assay/base/cancel.h"
#include "local/janitor.h"

#include <string>

namespace assay::local {

std::string pasta_resolv_conf();
std::string why_no_public_network(); // empty: it can be had here

class Pasta {
  public:
    // Attaches to the network namespace of process `init_pid`; returns once the interface is up.
    Pasta(Janitor& janitor, int init_pid, const Path& folder, const Cancel& cancel);
    ~Pasta(); // ends it: the interface goes away

  private:
    UniqueFd process_; // pidfd
};

} // namespace assay::local
