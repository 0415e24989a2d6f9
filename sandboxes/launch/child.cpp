// From a fork of the janitor to bubblewrap, and the errands of a namespace's root. Neither needs to
// know what the sandbox will be: it can be done ahead, and its root comes later (root.cpp).
#include "launch/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace assay::launch {
namespace {

// Fixed numbers in the new program: bubblewrap's arguments name them.
constexpr int kControlFd = 3, kSeccompFd = 4, kInitFd = 5;

[[noreturn]] void give_up(int control, int error, const std::string& stage) {
    wire::send_message(control, wire::Op::Failed, 0, wire::Writer().i32(error).str(stage).data());
    ::_exit(1);
}

// The death signal is lost when credentials change; the parent may have died in between.
void die_with(pid_t janitor) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != janitor) ::_exit(1);
}

// With v1's "tasks" a thread moves itself, which needs no lock. "cgroup.procs" moves all threads of
// a process and waits for an RCU grace period; a child of fork_into_cgroup() is there already.
bool join_cgroup(const std::string& folder) {
    if (is_v1(folder)) return write_file(folder + "/tasks", "0");
    char text[64] = {};
    int fd = ::open((folder + "/cgroup.procs").c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    bool good = (::read(fd, text, sizeof text - 1) > 0 && std::atoi(text) == ::getpid()) ||
                ::write(fd, "0", 1) == 1;
    ::close(fd);
    return good;
}

void enter_namespaces(const Config& config, int control, std::uint32_t flags,
                      const std::vector<int>& fds) {
    std::size_t next = 1;
    int user = -1, net = -1;
    if ((flags & wire::kJoinUser) != 0 && next < fds.size()) user = fds[next++];
    if ((flags & wire::kJoinNet) != 0 && next < fds.size()) net = fds[next++];
    bool keep = (flags & wire::kKeepNet) != 0;
    int fresh = CLONE_NEWNS | (net < 0 && !keep ? CLONE_NEWNET : 0);
    if (user < 0) {
        if (int error = new_user_namespace(config, fresh))
            give_up(control, error, "make a user namespace");
    } else {
        if (::setns(user, CLONE_NEWUSER) != 0) give_up(control, errno, "join the user namespace");
        if (::unshare(fresh) != 0) give_up(control, errno, "unshare");
    }
    // In one-user mode setgroups is denied, and there are no other groups to leave.
    if (::setgroups(0, nullptr) != 0 && (config.flags & wire::kOneUser) == 0)
        give_up(control, errno, "setgroups");
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
        give_up(control, errno, "become root of the user namespace");
    if (net >= 0 && ::setns(net, CLONE_NEWNET) != 0)
        give_up(control, errno, "join the network namespace");
    if (net < 0 && !keep)
        if (int error = loopback_up()) give_up(control, error, "bring up the loopback");
}

[[noreturn]] void launch(const Config& config, int control, const std::string& payload) {
    wire::Reader reader(payload);
    std::string log = reader.str();
    std::vector<std::string> argv = reader.list();
    if (!reader.done() || argv.empty()) give_up(control, EBADMSG, "launch message");

    int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    // bubblewrap reads the filter to its end: a description of its own, so that the offset is ours.
    std::string filter = "/proc/self/fd/" + std::to_string(config.seccomp);
    int seccomp = ::open(filter.c_str(), O_RDONLY | O_CLOEXEC);
    if (null < 0 || out < 0 || seccomp < 0) give_up(control, errno, "open " + log);
    int high[3] = {::fcntl(control, F_DUPFD, 64), ::fcntl(seccomp, F_DUPFD, 64),
                   ::fcntl(config.init_image, F_DUPFD, 64)};
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::dup2(high[0], kControlFd);
    ::dup2(high[1], kSeccompFd);
    ::dup2(high[2], kInitFd);
    ::close_range(6, ~0u, 0);
    std::vector<char*> args;
    for (std::string& arg : argv) args.push_back(arg.data());
    args.push_back(nullptr);
    char* env[] = {nullptr};
    ::execve(config.bwrap.c_str(), args.data(), env);
    give_up(kControlFd, errno, "execute " + config.bwrap);
}

// The other things that have to be done as root of a user namespace.
[[noreturn]] void run_errand(int control, const wire::Message& message) {
    int error = EBADMSG;
    std::string stage = "set up the environment";
    std::string answer;
    std::vector<int> out;
    wire::Reader reader(message.payload);
    if (message.op == wire::Op::Root) {
        bool refused = false;
        error = set_root(message, stage, refused);
        if (refused) answer = stage + ": " + std::strerror(std::exchange(error, 0));
    } else if (message.op == wire::Op::Remove) {
        error = remove_tree(message.payload);
    } else if (message.op == wire::Op::Layer) {
        error = layer_tar(message, answer, stage);
    } else if (message.op == wire::Op::Bridge) {
        error = make_bridge();
        out.push_back(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    } else if (message.op == wire::Op::Link && message.fds.size() == 1) {
        std::uint32_t number = reader.u32(), address = reader.u32();
        if (reader.done()) error = link_to_bridge(number, address, message.fds[0]);
    }
    if (error != 0) give_up(control, error, stage);
    wire::send_message(control, wire::Op::Ok, 0, answer, out);
    // The kernel may have much to free for us (an old root): after everybody else's work.
    sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
    ::_exit(0);
}

} // namespace

void run_child(const Config& config, wire::Message& prepare, pid_t janitor) {
    if (prepare.fds.empty()) ::_exit(1);
    int control = prepare.fds[0];
    die_with(janitor);
    wire::Reader reader(prepare.payload);
    std::uint32_t flags = reader.u32();
    std::vector<std::string> cgroups = reader.list();
    if (!reader.done()) give_up(control, EBADMSG, "prepare message");
    for (const std::string& cgroup : cgroups)
        if (!join_cgroup(cgroup)) give_up(control, errno, "join the cgroup " + cgroup);
    enter_namespaces(config, control, flags, prepare.fds);
    die_with(janitor);
    wire::Message message;
    int error = wire::receive_message(control, message);
    if (error != 0) ::_exit(1); // never wanted
    if (message.op != wire::Op::Launch) run_errand(control, message);
    launch(config, control, message.payload);
}

} // namespace assay::launch
