// Cgroups of a run and of its sandboxes, on v1, v2 and hybrid machines alike: one folder
// assay-<run> in each hierarchy that we may write, below our own cgroup, and in it one folder a
// sandbox. What cannot be had is absent and said so, never an error.
#pragma once

#include "assay/api/sandbox.h"
#include "assay/base/fs.h"

#include <memory>
#include <string>
#include <vector>

namespace assay::local {

struct CgroupSupport {
    bool cpu = false, memory = false, pids = false, usage = false, freeze = false;
    std::string notes; // "not limited: memory (no writable cgroup); "
};

class SandboxCgroup {
  public:
    ~SandboxCgroup(); // removes the folders, which are empty once the processes are gone
    std::vector<std::string> join() const; // folders whose cgroup.procs a process must enter
    // All processes, pid 1 included. False: cannot, or did not happen within two seconds.
    bool freeze();
    void thaw();
    void kill();
    ResourceUsage usage() const; // disk_bytes stays -1
    void set_limits(const ResourceLimits& limits);

  private:
    friend class RunCgroups;
    struct Folder {
        Path path;
        bool v2 = false;
        std::vector<std::string> controllers;
    };
    const Folder* with(std::string_view controller) const;
    std::vector<Folder> folders_;
};

class RunCgroups {
  public:
    // `proc_self` has the files mountinfo and cgroup, which say what is mounted and where we are.
    explicit RunCgroups(const std::string& run_id, const Path& proc_self = "/proc/self");
    ~RunCgroups();
    const CgroupSupport& support() const { return support_; }
    std::vector<std::string> folders() const;
    std::unique_ptr<SandboxCgroup> make(const std::string& name);

  private:
    void open_v1(const Path& own, const std::string& controllers, const std::string& run_id);
    void open_v2(Path own, const std::string& run_id);
    std::vector<SandboxCgroup::Folder> runs_;
    CgroupSupport support_;
    std::string why_not_ = "no writable cgroup"; // what limits are missing
};

} // namespace assay::local
