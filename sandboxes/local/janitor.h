// The run's helper process (assay-launch) as seen from assay: its start, the children it prepares,
// the run's folder with its lock.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fd.h"
#include "assay/base/fs.h"
#include "local/cgroups.h"
#include "local/channel.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace assay::local {

struct UserMapping {
    std::uint32_t flags = 0; // wire::PrepareFlags
    std::string uids, gids;  // arguments for newuidmap and newgidmap
    bool multi_user() const { return (flags & wire::kOneUser) == 0; }
};
// Root: identity. Else a range of /etc/subuid and /etc/subgid if there is one. Else one user.
UserMapping find_user_mapping();

// Beside the running program; throws Error(Unsupported) if it is not there.
Path find_helper(const Path& folder, const std::string& name);
Path find_program(const std::string& name); // on PATH; empty: none

class Janitor {
  public:
    Janitor(const Path& scratch, const std::string& run_id, const Path& helpers, UniqueFd filter);
    ~Janitor(); // everything of the run is gone afterwards

    const Path& folder() const { return folder_; } // the run's, below the scratch
    int pid() const { return pid_; }
    RunCgroups& cgroups() { return cgroups_; }
    const UserMapping& users() const { return users_; }

    static constexpr int kNew = -1; // a namespace of its own
    // The machine's network: for errands that use none, and where that guard is left out.
    static constexpr int kMachine = -2;
    // A child in its cgroups and namespaces that waits for Launch or an errand on the returned
    // socket.
    UniqueFd prepare(const std::vector<std::string>& cgroups, int user_ns, int net_ns);
    // A host program that dies with the run; fds: [output, then 3, 4...].
    void run_helper(const std::vector<std::string>& argv, const std::vector<int>& fds);

  private:
    Path folder_;
    UniqueFd lock_;
    RunCgroups cgroups_;
    UserMapping users_;
    std::mutex mutex_;
    UniqueFd socket_;
    int pid_ = -1;
};

} // namespace assay::local
