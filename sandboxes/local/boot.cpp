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

// For specs that name no limit: a fork bomb must not reach the machine's own.
constexpr std::uint64_t kDefaultPids = 8192;

void make_folder(const Path& path, mode_t mode = 0755) {
    if ((::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) || ::chmod(path.c_str(), mode) != 0)
        throw io_error("make folder " + path.string(), errno);
}

void write_new(const Path& path, std::string_view text) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fchmod(fd.get(), 0644) != 0)
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

Path LocalSandbox::writable() const {
    return folder_ / ("g" + std::to_string(generation_));
}

void LocalSandbox::make_writable(const Path& writable) const {
    make_folder(writable);
    for (std::size_t i = 0; i < image_.mounts.size(); i++)
        make_folder(writable / ("u" + std::to_string(i)));
    if (layers_.empty()) write_identity(writable / "u0"); // else it is in them, as it was left
}

std::string LocalSandbox::root_message(const Path& writable, const SealedLayer* sealed) const {
    wire::Writer out;
    out.str(spec_.name);
    out.str(sealed != nullptr ? this->writable().string() : "");
    out.str(sealed != nullptr ? sealed->folder.string() : "");
    out.u32(static_cast<std::uint32_t>(image_.mounts.size()));
    for (std::size_t i = 0; i < image_.mounts.size(); i++) {
        std::string number = std::to_string(i);
        // A new one each time: an overlay marks it as used, and volatile.
        Path work = writable.string() + "w" + number;
        make_folder(work);
        std::vector<std::string> layers = {(writable / ("u" + number)).string(), work.string()};
        for (std::string& lower : lowers(i)) layers.push_back(std::move(lower));
        out.str(image_.mounts[i].at).list(layers);
    }
    out.u32(static_cast<std::uint32_t>(spec_.folders_ro.size()));
    for (const auto& [host, inside] : spec_.folders_ro) out.str(host.string()).str(inside);
    return out.data();
}

LocalSandbox::NewRoot LocalSandbox::prepare_root(const SealedLayer* sealed) {
    UniqueFd user = open_namespace("user");
    NewRoot out;
    out.helper =
        std::make_unique<Channel>(shared_->janitor.prepare({}, user.get(), Janitor::kMachine),
                                  "the files of sandbox " + spec_.name);
    Path next = folder_ / ("g" + std::to_string(generation_ + 1));
    make_writable(next);
    out.message = root_message(next, sealed);
    out.mounts = open_namespace("mnt");
    out.name = open_namespace("uts");
    return out;
}

void LocalSandbox::set_root(const NewRoot& root, const Cancel& cancel) {
    Reply reply = root.helper->errand(wire::Op::Root, root.message,
                                      {root.mounts.get(), root.name.get()}, cancel);
    if (!reply.payload.empty()) throw PathError("sandbox " + spec_.name + ": " + reply.payload);
    generation_++;
}

void LocalSandbox::await_hello(Channel& channel, const Cancel& cancel) {
    Reply hello;
    try {
        hello = channel.wait_hello(cancel);
    } catch (const SandboxLost&) { // bubblewrap said why
        hello.error = EPIPE;
        hello.stage = "bwrap";
    }
    if (hello.error != 0) start_failed(hello.stage, hello.error);
    init_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, hello.sender_pid, 0)));
    if (!init_) throw SandboxLost("sandbox " + spec_.name + " ended at once");
    init_pid_ = hello.sender_pid;
}

void LocalSandbox::start_failed(const std::string& stage, int error) const {
    std::string log;
    try {
        log = RealFileSystem().read(folder_ / "log", 1 << 16);
    } catch (const Error&) { // it did not come as far as to write one
    }
    std::string message = "could not start sandbox " + spec_.name + ": " + stage;
    if (error != EPIPE) message += ": " + std::string(std::strerror(error));
    if (!trim(log).empty()) message += ": " + std::string(trim(utf8_clean(log)));
    throw Error(ErrorKind::Sandbox, message).hint("`assay doctor` checks what sandboxes need");
}

void LocalSandbox::start(const Cancel& cancel) {
    if (hosts_.empty() && spec_.name.empty()) spec_.name = "main";
    Prepared prepared = shared_->prepare(user_ns_.get(), net_ns_.get());
    folder_ = prepared.folder;
    cgroup_ = std::move(prepared.cgroup);
    ResourceLimits limits = spec_.limits;
    if (!limits.pids) limits.pids = kDefaultPids;
    cgroup_->set_limits(limits);
    prepared.channel->rename(spec_.name);
    await_hello(*prepared.channel, cancel);
    set_root(prepare_root(nullptr), cancel);
    {
        std::lock_guard lock(mutex_);
        channel_ = std::move(prepared.channel);
    }
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

bool LocalSandbox::freeze(bool on) {
    std::lock_guard guard(checkpoint_mutex_);
    if (stopped_ || on == frozen_) return frozen_ && !stopped_;
    if (!on) cgroup_->thaw();
    frozen_ = on && cgroup_->freeze();
    return frozen_;
}

void LocalSandbox::stop() {
    std::lock_guard guard(checkpoint_mutex_);
    if (stopped_) return;
    stopped_ = true;
    if (frozen_) cgroup_->thaw(); // what is frozen cannot end
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
        last_.disk_bytes = static_cast<std::int64_t>(tree_bytes(writable()));
        shared_->remove(folder_);
    }
    cgroup_.reset();
}

} // namespace assay::local
