// The loop of the run's janitor, and what it does when assay is gone.
//
// argv: assay-launch SCRATCH BWRAP INIT FLAGS UIDS GIDS CGROUP...; UIDS and GIDS are words for
// newuidmap and newgidmap. Descriptors: 3 socket to assay, 4 the run's lock (held open, so that the
// run counts as alive), 5 seccomp filter.
#include "launch/launch.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace assay::launch {
namespace {

// A sealed copy: what runs as pid 1 can be changed by nobody, the host's file is never its
// /proc/1/exe.
int sealed_copy(const std::string& path) {
    int from = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (from < 0) return -1;
    int to = ::memfd_create("assay-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    static char buffer[65536];
    ssize_t n = 0;
    while (to >= 0 && (n = ::read(from, buffer, sizeof buffer)) > 0)
        if (::write(to, buffer, static_cast<std::size_t>(n)) != n) return -1;
    ::close(from);
    if (to < 0 || n < 0) return -1;
    ::fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    // Read-only from here on: exec of a descriptor open for writing is ETXTBSY.
    std::string again = "/proc/self/fd/" + std::to_string(to);
    int image = ::open(again.c_str(), O_RDONLY | O_CLOEXEC);
    ::close(to);
    return image;
}

[[noreturn]] void run_helper(wire::Message& request, pid_t janitor) {
    wire::Reader reader(request.payload);
    std::vector<std::string> argv = reader.list();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!reader.done() || argv.empty() || ::getppid() != janitor) ::_exit(127);
    // fds: [output, extra...]; the extras keep their order from 3 on.
    int null = ::open("/dev/null", O_RDWR);
    int high[wire::kMaxFds];
    std::size_t count = request.fds.size();
    for (std::size_t i = 0; i < count; i++) high[i] = ::fcntl(request.fds[i], F_DUPFD, 100);
    ::dup2(null, 0);
    ::dup2(count > 0 ? high[0] : null, 1);
    ::dup2(count > 0 ? high[0] : null, 2);
    for (std::size_t i = 1; i < count; i++) ::dup2(high[i], static_cast<int>(i) + 2);
    ::close_range(static_cast<unsigned>(count > 0 ? count + 2 : 3), ~0u, 0);
    std::vector<char*> args;
    for (std::string& arg : argv) args.push_back(arg.data());
    args.push_back(nullptr);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* env[] = {path, nullptr};
    ::execve(args[0], args.data(), env);
    ::_exit(127);
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        std::size_t at = text.find(' ');
        if (at != 0) out.emplace_back(text.substr(0, at));
        text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    }
    return out;
}

// v2 lets a child begin in its cgroup; to move there costs an RCU grace period, 4 to 40 ms. Where
// this is not possible the child joins by itself, as it does with v1.
pid_t fork_into_cgroup(const std::string& prepare) {
    wire::Reader reader(prepare);
    reader.u32();
    for (const std::string& folder : reader.list()) {
        if (is_v1(folder)) continue;
        int at = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        clone_args args{};
        args.flags = CLONE_INTO_CGROUP;
        args.exit_signal = SIGCHLD;
        args.cgroup = static_cast<std::uint64_t>(at);
        long pid = at < 0 ? -1 : ::syscall(SYS_clone3, &args, sizeof args);
        ::close(at);
        if (pid >= 0) return static_cast<pid_t>(pid);
    }
    return ::fork();
}

class Janitor {
  public:
    explicit Janitor(Config config)
        : config_(std::move(config)) {}

    void run() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &set, &old_mask_);
        int signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        for (;;) {
            pollfd fds[2] = {{config_.socket, POLLIN, 0}, {signals, POLLIN, 0}};
            if (::poll(fds, 2, -1) < 0 && errno != EINTR) break;
            if (fds[1].revents != 0) reap(signals);
            if (fds[0].revents == 0) continue;
            wire::Message message;
            int error = wire::receive_message(config_.socket, message);
            if (error == EBADMSG || error == EINTR || error == EAGAIN) continue;
            if (error != 0) break; // end of file: assay is gone, or has finished
            serve(message);
            wire::close_fds(message.fds);
        }
        kill_everything(config_, children_);
    }

  private:
    void reap(int signals) {
        signalfd_siginfo info;
        while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        }
        for (pid_t pid; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;)
            children_.erase(std::remove(children_.begin(), children_.end(), pid), children_.end());
    }

    void serve(wire::Message& message) {
        pid_t self = ::getpid();
        pid_t pid = message.op == wire::Op::Prepare ? fork_into_cgroup(message.payload) : ::fork();
        if (pid < 0) {
            if (message.op == wire::Op::Prepare && !message.fds.empty())
                wire::send_message(message.fds[0], wire::Op::Failed, message.id,
                                   wire::Writer().i32(errno).str("fork").data());
            return;
        }
        if (pid > 0) {
            children_.push_back(pid);
            return;
        }
        ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
        ::signal(SIGINT, SIG_DFL);
        ::signal(SIGTERM, SIG_DFL);
        ::signal(SIGHUP, SIG_DFL);
        ::signal(SIGPIPE, SIG_DFL); // pasta takes an ignored one for an error
        ::close(config_.socket);
        ::close(config_.lock);
        if (message.op == wire::Op::Prepare) run_child(config_, message, self);
        if (message.op == wire::Op::Helper) run_helper(message, self);
        ::_exit(0);
    }

    Config config_;
    std::vector<pid_t> children_;
    sigset_t old_mask_{};
};

} // namespace
} // namespace assay::launch

int main(int argc, char** argv) {
    using namespace assay::launch;
    if (argc < 7) return 64;
    Config config;
    config.scratch = argv[1];
    config.bwrap = argv[2];
    config.init = argv[3];
    config.flags = static_cast<std::uint32_t>(std::atoi(argv[4]));
    config.uid_ranges = words(argv[5]);
    config.gid_ranges = words(argv[6]);
    config.cgroups.assign(argv + 7, argv + argc);
    for (int fd : {config.socket, config.lock, config.seccomp}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::umask(022); // the inside's modes are not whatever the user of assay likes
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    config.init_image = sealed_copy(config.init);
    if (config.init_image < 0) return 66;
    Janitor(std::move(config)).run();
    return 0;
}
