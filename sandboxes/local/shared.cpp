#include "assay/base/log.h"
#include "local/pasta.h"
#include "local/sandbox.h"
#include "local/seccomp.h"
#include "wire/tree.h"

#include <cerrno>

namespace assay::local {

Shared::Shared(const LocalOptions& options)
    : janitor(options.scratch, options.run_id, options.helpers,
              make_seccomp_filter(options.without_guards.count("seccomp") == 0))
    , without_guards(options.without_guards) {
    prepare_ahead();
}

SandboxCapabilities Shared::capabilities() const {
    auto& self = const_cast<Shared&>(*this);
    const CgroupSupport& cgroups = self.janitor.cgroups().support();
    SandboxCapabilities out;
    out.multi_user = self.janitor.users().multi_user();
    out.checkpoint = true;
    out.terminal = true;
    out.private_network = true;
    out.network = {NetworkMode::None};
    std::string no_public = why_no_public_network();
    if (no_public.empty()) out.network.push_back(NetworkMode::Public);
    out.limit_cpus = cgroups.cpu;
    out.limit_memory = cgroups.memory;
    out.limit_pids = cgroups.pids;
    out.usage = cgroups.usage;
    out.notes = cgroups.notes + "disk space is not limited";
    if (!no_public.empty()) out.notes += "; " + no_public;
    if (!out.multi_user)
        out.notes += "; only one user: no subordinate ids in /etc/subuid and /etc/subgid";
    return out;
}

std::string Shared::next_name(std::string_view prefix) {
    return std::string(prefix) + std::to_string(counter_++);
}

Prepared Shared::make(int user_ns, int net_ns) {
    Prepared out;
    out.cgroup = janitor.cgroups().make(next_name("s"));
    out.socket = janitor.prepare(out.cgroup->join(), user_ns, net_ns);
    return out;
}

Prepared Shared::prepare(int user_ns, int net_ns) {
    std::unique_ptr<Prepared> ready;
    if (user_ns < 0 && net_ns < 0) {
        std::lock_guard lock(mutex_);
        ready = std::move(spare_);
    }
    return ready ? std::move(*ready) : make(user_ns, net_ns);
}

// Entering a cgroup can take ten milliseconds (the kernel waits for a grace period), and a user
// namespace is mapped by a helper: both need nothing of the sandbox, and are done one ahead.
void Shared::prepare_ahead() {
    std::lock_guard lock(mutex_);
    if (!spare_) spare_ = std::make_unique<Prepared>(make(-1, -1));
}

void Shared::remove(const Path& tree) {
    int error = remove_tree(tree.string());
    if (error == 0) return;
    try {
        if (error != EACCES && error != EPERM) throw io_error("remove " + tree.string(), error);
        Channel(janitor.prepare({}, -1, -1), "remove " + tree.string())
            .errand(wire::Op::Remove, tree.string(), {}, Cancel());
    } catch (const Error& e) {
        log_warn("left in the scratch: {}", e.message());
    }
}

} // namespace assay::local
