#include "assay/base/log.h"
#include "local/environment.h"
#include "local/pasta.h"
#include "local/sandbox.h"
#include "local/seccomp.h"
#include "wire/tree.h"

#include <cerrno>

namespace assay::local {
namespace {

// Docker's default set. Those that reach the kernel itself are not in it.
constexpr const char* kCapabilities[] = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_KILL",    "CAP_AUDIT_WRITE"};

// In the identity mapping the inside's root is the host's root to the file modes of /proc, and
// sysctls go by them. bubblewrap covers /proc/sys only where access(W_OK) says that it is writable,
// which it never says of that folder; so all is named here, after Docker's list.
// Each costs a tenth of a millisecond of the start.
constexpr const char* kHiddenFiles[] = {"/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                        "/proc/timer_list", "/proc/sched_debug"};
constexpr const char* kHiddenFolders[] = {"/proc/acpi", "/proc/scsi", "/proc/asound"};
constexpr const char* kReadOnly[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
                                     "/proc/fs"};

bool there(const char* path) {
    return ::access(path, F_OK) == 0;
}

std::vector<std::string> proc_arguments() {
    std::vector<std::string> out;
    auto add = [&](std::initializer_list<const char*> words) {
        for (const char* word : words) out.emplace_back(word);
    };
    for (const char* path : kHiddenFiles)
        if (there(path)) add({"--ro-bind", "/dev/null", path});
    for (const char* path : kHiddenFolders)
        if (there(path)) add({"--tmpfs", path});
    for (const char* path : kReadOnly)
        if (there(path)) add({"--ro-bind", path, path});
    return out;
}

} // namespace

void Environments::add(LocalEnvironment& one) {
    std::lock_guard lock(mutex_);
    all_.insert(&one);
}

void Environments::remove(LocalEnvironment& one) {
    std::lock_guard lock(mutex_);
    all_.erase(&one);
}

void Environments::each_of_others(std::string_view owner,
                                  const std::function<void(LocalEnvironment&)>& use) {
    std::lock_guard lock(mutex_);
    for (LocalEnvironment* one : all_)
        if (one->owner() != owner) use(*one);
}

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

// The same for every sandbox: what one is made of comes with its root.
std::string Shared::launch_message(const Path& folder) const {
    static const std::vector<std::string> proc = proc_arguments();
    std::vector<std::string> args = {
        "bwrap",      "--unshare-pid",    "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--as-pid-1", "--die-with-parent"};
    auto add = [&](std::initializer_list<const char*> words) {
        args.insert(args.end(), words.begin(), words.end());
    };
    add({"--dev", "/dev", "--perms", "1777", "--size", "67108864", "--tmpfs", "/dev/shm"});
    add({"--proc", "/proc"});
    if (without_guards.count("proc") == 0) args.insert(args.end(), proc.begin(), proc.end());
    if (without_guards.count("capabilities") == 0) {
        add({"--cap-drop", "ALL"});
        for (const char* capability : kCapabilities) add({"--cap-add", capability});
    }
    // The root comes later, from elsewhere; /dev is carried over to it.
    if (without_guards.count("sysfs") != 0) add({"--bind", "/sys", "/dev/sys"});
    add({"--seccomp", "4", "--chdir", "/", "--", "/proc/self/fd/5"});
    return wire::Writer().str((folder / "log").string()).list(args).data();
}

Prepared Shared::make(int user_ns, int net_ns) {
    Prepared out;
    out.folder = janitor.folder() / next_name("e");
    RealFileSystem().make_folders(out.folder);
    out.cgroup = janitor.cgroups().make(next_name("s"));
    if (net_ns < 0 && without_guards.count("network") != 0) net_ns = Janitor::kMachine;
    out.channel =
        std::make_shared<Channel>(janitor.prepare(out.cgroup->join(), user_ns, net_ns), "");
    try {
        out.channel->send(wire::Op::Launch, launch_message(out.folder));
    } catch (const SandboxLost&) { // the child has ended: its reason waits to be read
    }
    return out;
}

Prepared Shared::prepare(int user_ns, int net_ns) {
    std::unique_ptr<Prepared> ready;
    if (user_ns < 0 && net_ns < 0) {
        std::lock_guard lock(mutex_);
        ready = std::move(spare_);
    }
    // One that has died meanwhile is no reason to fail.
    return ready && ready->channel->alive() ? std::move(*ready) : make(user_ns, net_ns);
}

// bubblewrap and its namespaces take five milliseconds and need nothing of what the sandbox will
// be.
void Shared::prepare_ahead() {
    std::lock_guard lock(mutex_);
    try {
        if (!spare_) spare_ = std::make_unique<Prepared>(make(Janitor::kNew, Janitor::kNew));
    } catch (const Error& e) { // whoever needs one will hear of it
        log_debug("no sandbox ahead: {}", e.message());
    }
}

void Shared::remove(const Path& tree) {
    int error = remove_tree(tree.string());
    if (error == 0) return;
    try {
        if (error != EACCES && error != EPERM) throw io_error("remove " + tree.string(), error);
        Channel(janitor.prepare({}, Janitor::kNew, Janitor::kMachine), "remove " + tree.string())
            .errand(wire::Op::Remove, tree.string(), {}, Cancel());
    } catch (const Error& e) {
        log_warn("left in the scratch: {}", e.message());
    }
}

} // namespace assay::local
