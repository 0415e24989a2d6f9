// assay-launch: one process a run, started first and single-threaded. It forks the children that
// become sandboxes (so that their death signal hangs on this process and not on a thread of assay),
// and it is the run's janitor: when its socket ends, assay is dead, and everything of the run goes.
#pragma once

#include "wire/tree.h"
#include "wire/wire.h"

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace assay::launch {

struct Config {
    std::string scratch; // the run's folder, removed at the end
    std::string bwrap, init;
    std::uint32_t flags = 0;                         // wire::PrepareFlags: how users are mapped
    std::vector<std::string> uid_ranges, gid_ranges; // arguments of newuidmap and newgidmap
    std::vector<std::string> cgroups; // the run's folder in each hierarchy, removed at the end
    int socket = 3, lock = 4, seccomp = 5;
    int init_image = -1; // sealed memfd of assay-init
};

// Becomes a sandbox: joins cgroups and namespaces, waits for Launch, executes bwrap. Or does
// another thing that a namespace's root has to do.
[[noreturn]] void run_child(const Config& config, wire::Message& prepare, pid_t janitor);

// Maps users for `target`, from outside its new user namespace. 0 or errno.
int map_users(pid_t target, const Config& config);
// Enters a new user namespace (and `others`: more CLONE_NEW* flags) as its root. 0 or errno.
int new_user_namespace(const Config& config, int others);

// Op::Root: gives a sandbox its root. 0, or errno and what it was about; `refused`: the root that
// it had is as it was.
int set_root(const wire::Message& message, std::string& stage, bool& refused);

// Op::Layer: writes a tar of a sandbox's writable layer. 0, or errno and what it was about.
int layer_tar(const wire::Message& message, std::string& answer, std::string& stage);

int loopback_up();
// In the current network namespace: a bridge "hub", up. 0 or errno.
int make_bridge();
// A veth pair from "hub" here to "eth0" in `net_ns`, which gets `address` (host order, /16) and is
// up afterwards. Leaves the process in `net_ns`. 0 or errno.
int link_to_bridge(std::uint32_t number, std::uint32_t address, int net_ns);

bool is_v1(const std::string& cgroup);
bool write_file(const std::string& path, std::string_view text);
void kill_everything(const Config& config, std::vector<pid_t>& children);

} // namespace assay::launch
