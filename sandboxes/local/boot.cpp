// From a prepared child to a running assay-init, and the end of it.
#include "assay/base/cancel_fd.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "local/pasta.h"
#include "local/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace assay::local {
namespace {

// Docker's default set. Those that reach the kernel itself are not in it.
// For specs that name no limit: a fork bomb must not reach the machine's own.
constexpr std::uint64_t kDefaultPids = 8192;

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

void make_folder(const Path& path, mode_t mode = 0755) {
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        throw io_error("make folder " + path.string(), errno);
}

void write_new(const Path& path, std::string_view text) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw io_error("write " + path.string(), errno);
}

} // namespace

std::string hosts_text(const std::string& own, const std::vector<Address>& addresses) {
    std::string out = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    bool own_there = false;
    for (const Address& a : addresses) {
        out += a.ip + "\t" + a.name + "\n";
        own_there |= a.name == own;
    }
    if (!own_there) out += "127.0.1.1\t" + own + "\n";
    return out;
}

// A fresh upper folder that only we have touched. /etc lies over the base's /etc.
void LocalSandbox::write_identity(const Path& upper) const {
    Path etc = upper / "etc";
    make_folder(etc);
    write_new(etc / "hostname", spec_.name + "\n");
    write_new(etc / "hosts", hosts_text(spec_.name, hosts_));
    write_new(etc / "resolv.conf",
              network_.mode == NetworkMode::Public ? pasta_resolv_conf() : std::string());
}

std::vector<std::string> LocalSandbox::lowers(std::size_t mount) const {
    std::vector<std::string> out;
    for (const auto& layer : layers_)
        out.push_back((layer->folder / ("u" + std::to_string(mount))).string());
    for (const Path& lower : image_.mounts[mount].lowers) out.push_back(lower.string());
    return out;
}

std::vector<std::string> LocalSandbox::bwrap_arguments() const {
    static const std::vector<std::string> proc = proc_arguments();
    std::vector<std::string> out = {"bwrap",
                                    "--unshare-pid",
                                    "--unshare-ipc",
                                    "--unshare-uts",
                                    "--unshare-cgroup-try",
                                    "--hostname",
                                    spec_.name,
                                    "--as-pid-1",
                                    "--die-with-parent",
                                    "--bind",
                                    (folder_ / "root").string(),
                                    "/",
                                    "--dev",
                                    "/dev",
                                    "--perms",
                                    "1777",
                                    "--size",
                                    "67108864",
                                    "--tmpfs",
                                    "/dev/shm",
                                    "--proc",
                                    "/proc"};
    auto guarded = [&](const char* guard) { return shared_->without_guards.count(guard) == 0; };
    if (guarded("proc")) out.insert(out.end(), proc.begin(), proc.end());
    for (const auto& [host, inside] : spec_.folders_ro) {
        out.emplace_back("--ro-bind");
        out.push_back(host.string());
        out.push_back(inside);
    }
    if (guarded("capabilities")) {
        out.insert(out.end(), {"--cap-drop", "ALL"});
        for (const char* capability : kCapabilities)
            out.insert(out.end(), {"--cap-add", capability});
    }
    out.insert(out.end(), {"--seccomp", "4", "--chdir", "/", "--", "/proc/self/fd/5"});
    return out;
}

std::string LocalSandbox::launch_message() const {
    wire::Writer out;
    out.str((folder_ / "log").string()).str((folder_ / "root").string());
    out.u32(static_cast<std::uint32_t>(image_.mounts.size()));
    Path layer = folder_ / ("g" + std::to_string(generation_));
    for (std::size_t i = 0; i < image_.mounts.size(); i++) {
        std::string number = std::to_string(i);
        std::vector<std::string> spec = {(layer / ("u" + number)).string(),
                                         (folder_ / ("w" + number)).string()};
        for (std::string& lower : lowers(i)) spec.push_back(std::move(lower));
        out.str(image_.mounts[i].at).list(spec);
    }
    std::vector<std::string> mount_points;
    for (const auto& [host, inside] : spec_.folders_ro) mount_points.push_back(inside);
    out.list(mount_points).list(bwrap_arguments());
    return out.data();
}

void LocalSandbox::boot(Prepared prepared, const Cancel& cancel) {
    Path layer = folder_ / ("g" + std::to_string(generation_));
    make_folder(layer);
    make_folder(folder_ / "root");
    for (std::size_t i = 0; i < image_.mounts.size(); i++) {
        std::string number = std::to_string(i);
        make_folder(layer / ("u" + number));
        // Left by the mount before this one, which marked it volatile.
        if (generation_ > 0) shared_->remove(folder_ / ("w" + number));
        make_folder(folder_ / ("w" + number));
    }
    write_identity(layer / "u0");
    if (prepared.cgroup) cgroup_ = std::move(prepared.cgroup);
    ResourceLimits limits = spec_.limits;
    if (!limits.pids) limits.pids = kDefaultPids;
    cgroup_->set_limits(limits);
    auto channel = std::make_shared<Channel>(std::move(prepared.socket), spec_.name);
    try {
        channel->send(wire::Op::Launch, launch_message());
    } catch (const SandboxLost&) { // the launcher has ended: its reason waits to be read
    }
    Reply hello;
    try {
        hello = channel->wait_hello(cancel);
    } catch (const SandboxLost&) { // bubblewrap said why
        hello.error = EPIPE;
        hello.stage = "bwrap";
    }
    if (hello.error != 0) boot_failed(hello);
    init_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, hello.sender_pid, 0)));
    if (!init_) throw SandboxLost("sandbox " + spec_.name + " ended at once");
    std::lock_guard lock(mutex_);
    init_pid_ = hello.sender_pid;
    channel_ = std::move(channel);
}

void LocalSandbox::boot_failed(const Reply& reply) const {
    std::string log;
    try {
        log = RealFileSystem().read(folder_ / "log", 1 << 16);
    } catch (const Error&) { // it did not come as far as to write one
    }
    std::string message = "could not start sandbox " + spec_.name + ": " + reply.stage;
    if (reply.error != EPIPE) message += ": " + std::string(std::strerror(reply.error));
    if (!trim(log).empty()) message += ": " + std::string(trim(utf8_clean(log)));
    throw Error(ErrorKind::Sandbox, message).hint("`assay doctor` checks what sandboxes need");
}

void LocalSandbox::start(const Cancel& cancel) {
    folder_ = shared_->janitor.folder() / shared_->next_name("e");
    make_folder(folder_);
    if (hosts_.empty() && spec_.name.empty()) spec_.name = "main";
    boot(shared_->prepare(user_ns_.get(), net_ns_.get()), cancel);
    shared_->prepare_ahead();
    if (spec_.network.mode != NetworkMode::None) set_network(spec_.network, cancel);
}

// pid 1 is gone only after everything else in its namespace.
void LocalSandbox::await_death() {
    if (!init_) return;
    pollfd fd{init_.get(), POLLIN, 0};
    if (::poll(&fd, 1, 1000) > 0) return;
    cgroup_->kill();
    ::syscall(SYS_pidfd_send_signal, init_.get(), SIGKILL, nullptr, 0);
    if (::poll(&fd, 1, 5000) <= 0)
        log_warn("sandbox {}: its processes did not end within 6 s", spec_.name);
}

void LocalSandbox::stop() {
    std::lock_guard guard(checkpoint_mutex_);
    if (stopped_) return;
    stopped_ = true;
    pasta_.reset();
    std::shared_ptr<Channel> old;
    {
        std::lock_guard lock(mutex_);
        old = channel_;
    }
    if (old) old->close();
    await_death();
    if (cgroup_) last_ = cgroup_->usage();
    if (!folder_.empty()) {
        last_.disk_bytes =
            static_cast<std::int64_t>(tree_bytes(folder_ / ("g" + std::to_string(generation_))));
        shared_->remove(folder_);
    }
    cgroup_.reset();
}

} // namespace assay::local
