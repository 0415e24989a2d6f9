// assay-init: pid 1 of a sandbox. It reaps, and serves the requests of wire.h on descriptor 3, the
// only way in. When that socket ends it exits, and the kernel kills everything in the pid
// namespace.
//
// It is not dumpable: nobody inside may trace it, read its memory or reach its descriptors, since
// the sandbox has no CAP_SYS_PTRACE. Its children close every descriptor but their own three.
#pragma once

#include "wire/wire.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace assay::init {

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home = "/";
    std::vector<gid_t> groups;
};

// By name or number, from the sandbox's own /etc/passwd and /etc/group, read with bounds. A number
// without an entry is a user too (gid 0, home /), as with Docker. nullopt: no such user.
std::optional<User> find_user(const std::string& name);

struct SpawnRequest {
    std::uint32_t flags = 0, rows = 0, columns = 0;
    std::string user, cwd;
    std::vector<std::string> argv, env;
};
// In the child: never returns. `fds` are those of the message: exec result, status, stdio.
[[noreturn]] void exec_child(SpawnRequest& request, const std::vector<int>& fds, int pty);

// In a worker process: serves one transfer on the stream socket `fd`.
[[noreturn]] void serve_file(int fd, const std::string& payload);

} // namespace assay::init
