#include "local/sandbox.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "local/exposed.h"
#include "local/pasta.h"
#include "local/transfer.h"
#include "terminal/terminal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace assay::local {

LocalSandbox::LocalSandbox(std::shared_ptr<Shared> shared, SandboxSpec spec, BaseImage image,
                           std::vector<std::shared_ptr<SealedLayer>> layers, UniqueFd user_ns,
                           UniqueFd net_ns)
    : shared_(std::move(shared))
    , spec_(std::move(spec))
    , image_(std::move(image))
    , layers_(std::move(layers))
    , user_ns_(std::move(user_ns))
    , net_ns_(std::move(net_ns)) {}

LocalSandbox::~LocalSandbox() {
    try {
        stop();
    } catch (const std::exception& error) {
        log_warn("stopping sandbox {}: {}", spec_.name, error.what());
    }
}

SandboxCapabilities LocalSandbox::capabilities() const {
    return shared_->capabilities();
}

std::shared_ptr<Channel> LocalSandbox::channel() const {
    std::lock_guard lock(mutex_);
    if (!channel_) throw SandboxLost("sandbox " + spec_.name + " is not running");
    return channel_;
}

bool LocalSandbox::alive() const {
    std::lock_guard lock(mutex_);
    return channel_ && channel_->alive();
}

std::vector<std::string> LocalSandbox::environment_for(const SpawnOptions& options) const {
    std::map<std::string, std::string> all = {
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
    if (options.terminal) all["TERM"] = "xterm-256color";
    for (const auto* source : {&image_.environment, &spec_.environment, &options.environment})
        for (const auto& [key, value] : *source) all[key] = value;
    all.try_emplace("HOSTNAME", spec_.name);
    std::vector<std::string> out;
    for (const auto& [key, value] : all) {
        if (key.empty() || key.find('=') != std::string::npos ||
            (key + value).find('\0') != std::string::npos)
            throw StartError("not a name or value for an environment: " + key);
        out.push_back(key + "=" + value);
    }
    return out;
}

SpawnSpec LocalSandbox::spawn_spec(const std::vector<std::string>& argv,
                                   const SpawnOptions& options) const {
    if (argv.empty()) throw StartError("no program given");
    for (const std::string& arg : argv)
        if (arg.find('\0') != std::string::npos)
            throw StartError("an argument contains a NUL byte: " + shell_quote(arg.c_str()));
    auto first = [](const std::string& a, const std::string& b, const std::string& c) {
        return !a.empty() ? a : !b.empty() ? b : c;
    };
    SpawnSpec out;
    out.argv = argv;
    out.environment = environment_for(options);
    out.user = first(options.user, spec_.user, image_.user);
    out.cwd = first(options.cwd, spec_.workdir, image_.workdir);
    out.with_stdin = options.stdin_mode == StdinMode::Pipe;
    out.merge = options.merge_stderr;
    out.terminal = options.terminal;
    return out;
}

std::unique_ptr<Process> LocalSandbox::spawn(const std::vector<std::string>& argv,
                                             const SpawnOptions& options, const Cancel& cancel) {
    return LocalProcess::start(channel(), spawn_spec(argv, options), cancel);
}

std::unique_ptr<Terminal> LocalSandbox::open_terminal(const std::vector<std::string>& argv,
                                                      const TerminalOptions& options,
                                                      const Cancel& cancel) {
    SpawnOptions spawn_options;
    spawn_options.user = options.user;
    spawn_options.cwd = options.cwd;
    spawn_options.environment = options.environment;
    spawn_options.terminal = options.size;
    return make_terminal(spawn(argv, spawn_options, cancel), options);
}

namespace {

UniqueFd inside_socket(Channel& channel, const Cancel& cancel) {
    Reply reply = channel.request(wire::Op::Socket, {}, {}, cancel);
    if (reply.error != 0) throw io_error("make a socket in the sandbox", reply.error);
    if (reply.fds.size() != 1) throw SandboxLost("malformed answer to a socket request");
    return std::move(reply.fds[0]);
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

} // namespace

// The socket is made inside and belongs to that namespace for good; the rest we do here.
std::unique_ptr<Stream> LocalSandbox::connect(std::uint16_t port, const Cancel& cancel) {
    UniqueFd fd = inside_socket(*channel(), cancel);
    sockaddr_in to = loopback(port);
    std::string what = "connect to port " + std::to_string(port) + " in sandbox " + spec_.name;
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
        if (errno != EINPROGRESS) throw io_error(what, errno);
        poll_one(fd.get(), POLLOUT, cancel);
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) throw io_error(what, error);
    }
    return std::make_unique<FdStream>(std::move(fd));
}

std::unique_ptr<Exposed> LocalSandbox::expose(Service service, const Cancel& cancel) {
    UniqueFd fd = inside_socket(*channel(), cancel);
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
        ::listen(fd.get(), 64) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0)
        throw io_error("listen in sandbox " + spec_.name, errno);
    return std::make_unique<LocalExposed>(std::move(fd), ntohs(at.sin_port), std::move(service));
}

void LocalSandbox::put_file(const std::string& path, std::string_view data, unsigned mode,
                            const Cancel& cancel) {
    local::put_file(*channel(), path, data, mode, cancel);
}

void LocalSandbox::put_folder(const Path& host_folder, const std::string& path,
                              const Cancel& cancel) {
    local::put_folder(*channel(), host_folder, path, cancel);
}

std::optional<std::string> LocalSandbox::get_file(const std::string& path, std::uint64_t limit,
                                                  const Cancel& cancel) {
    return local::get_file(*channel(), path, limit, cancel);
}

std::vector<std::string> LocalSandbox::get_folder(const std::string& path, const Path& host_folder,
                                                  std::uint64_t limit, const Cancel& cancel) {
    return local::get_folder(*channel(), path, host_folder, limit, cancel);
}

void LocalSandbox::remove(const std::string& path, const Cancel& cancel) {
    local::remove(*channel(), path, cancel);
}

void LocalSandbox::kill_all(const Cancel& cancel) {
    Reply reply = channel()->request(wire::Op::KillAll, {}, {}, cancel);
    if (reply.error != 0)
        throw Error(ErrorKind::Sandbox, "sandbox " + spec_.name + ": some processes do not end");
}

ResourceUsage LocalSandbox::usage() {
    std::lock_guard guard(checkpoint_mutex_);
    if (stopped_ || !cgroup_) return last_;
    ResourceUsage out = cgroup_->usage();
    out.disk_bytes = static_cast<std::int64_t>(tree_bytes(writable()));
    return out;
}

void LocalSandbox::set_network(const NetworkPolicy& policy, const Cancel& cancel) {
    if (policy.mode == NetworkMode::AllowList)
        throw Error(ErrorKind::Unsupported, "the local sandbox has no allow-list network")
            .hint("use the network modes none or public");
    std::string no_public = why_no_public_network();
    if (policy.mode == NetworkMode::Public && !no_public.empty())
        throw Error(ErrorKind::Unsupported, no_public);
    std::lock_guard guard(checkpoint_mutex_);
    if (policy.mode == network_.mode && (policy.mode == NetworkMode::None || pasta_)) return;
    if (policy.mode == NetworkMode::Public)
        pasta_ = std::make_unique<Pasta>(shared_->janitor, init_pid_, folder_, cancel);
    else
        pasta_.reset();
    network_ = policy;
    local::put_file(*channel(), "/etc/resolv.conf",
                    policy.mode == NetworkMode::Public ? pasta_resolv_conf() : std::string(), 0644,
                    cancel);
}

void LocalSandbox::set_hosts(const std::vector<Address>& addresses, const Cancel& cancel) {
    {
        std::lock_guard lock(mutex_);
        hosts_ = addresses;
        if (!channel_) return; // written at the start
    }
    local::put_file(*channel(), "/etc/hosts", hosts_text(spec_.name, addresses), 0644, cancel);
}

UniqueFd LocalSandbox::open_namespace(const char* kind) const {
    std::string path = "/proc/" + std::to_string(init_pid_) + "/ns/" + kind;
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int error = errno;
    pollfd init{init_.get(), POLLIN, 0}; // or the number may be another process's by now
    if (::poll(&init, 1, 0) > 0) throw SandboxLost("sandbox " + spec_.name + " is gone");
    if (!fd) throw io_error("open " + path, error);
    return fd;
}

UniqueFd LocalSandbox::user_namespace() const {
    return open_namespace("user");
}
UniqueFd LocalSandbox::net_namespace() const {
    return open_namespace("net");
}

} // namespace assay::local
