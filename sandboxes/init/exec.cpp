#include "init/init.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace assay::init {
namespace {

// What the child says when it cannot become the program: read by assay from the exec pipe.
[[noreturn]] void fail(int pipe, int error, const std::string& stage) {
    std::string text = wire::Writer().i32(error).str(stage).data();
    [[maybe_unused]] ssize_t n = ::write(pipe, text.data(), text.size());
    ::_exit(127);
}

std::string value_of(const std::vector<std::string>& env, std::string_view name) {
    for (auto it = env.rbegin(); it != env.rend(); ++it)
        if (it->size() > name.size() && it->compare(0, name.size(), name) == 0 &&
            (*it)[name.size()] == '=')
            return it->substr(name.size() + 1);
    return {};
}

// Like execvpe, with the PATH of the new environment, and without its second try through /bin/sh.
int exec_by_path(const std::string& program, char* const* argv, char* const* env,
                 const std::string& path) {
    if (program.empty()) return ENOENT;
    if (program.find('/') != std::string::npos) {
        ::execve(program.c_str(), argv, env);
        return errno;
    }
    int result = ENOENT;
    std::size_t from = 0;
    while (from <= path.size()) {
        std::size_t to = path.find(':', from);
        if (to == std::string::npos) to = path.size();
        std::string folder = path.substr(from, to - from);
        from = to + 1;
        std::string full = (folder.empty() ? "." : folder) + "/" + program;
        ::execve(full.c_str(), argv, env);
        if (errno == EACCES) result = EACCES;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
    }
    return result;
}

void become(int report, const std::string& name, const User& user) {
    // Denied where only one user is mapped; then there is none to become, and no group to leave.
    bool one_user = ::getuid() == user.uid && user.groups.empty();
    if (::setgroups(user.groups.size(), user.groups.data()) != 0 && !one_user)
        fail(report, errno, "user " + name);
    if (::setresgid(user.gid, user.gid, user.gid) != 0 ||
        ::setresuid(user.uid, user.uid, user.uid) != 0)
        fail(report, errno, "user " + name);
}

} // namespace

void exec_child(SpawnRequest& request, const std::vector<int>& fds, int pty) {
    ::setsid();
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);

    int report = ::fcntl(fds[0], F_DUPFD_CLOEXEC, 64);
    std::size_t next = 2; // after the exec and the status pipe: [stdin] stdout [stderr]
    int in = -1, out = -1, err = -1;
    if (pty >= 0) {
        in = ::ioctl(pty, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (in < 0) fail(report, errno, "pty");
        ::ioctl(in, TIOCSCTTY, 0);
        out = err = in;
    } else {
        if ((request.flags & wire::kSpawnStdin) != 0 && next < fds.size()) in = fds[next++];
        if (next < fds.size()) out = fds[next++];
        err = (request.flags & wire::kSpawnMerge) != 0 ? out : next < fds.size() ? fds[next] : -1;
        if (in < 0) in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (in < 0) fail(report, errno, "/dev/null");
    }
    if (out < 0 || err < 0) fail(report, EBADMSG, "request");
    int stdio[3] = {::fcntl(in, F_DUPFD, 128), ::fcntl(out, F_DUPFD, 128),
                    ::fcntl(err, F_DUPFD, 128)};
    for (int i = 0; i < 3; i++) ::dup2(stdio[i], i);
    int kept = ::fcntl(report, F_DUPFD_CLOEXEC, 3);
    ::dup3(kept, 3, O_CLOEXEC);
    report = 3;
    ::close_range(4, ~0u, 0);

    // In a memory shortage the kernel is to take these before pid 1.
    if (int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); score >= 0) {
        [[maybe_unused]] ssize_t n = ::write(score, "200", 3);
        ::close(score);
    }
    std::optional<User> user = find_user(request.user);
    if (!user) fail(report, ENOENT, "user " + request.user);
    if (!request.cwd.empty() && ::chdir(request.cwd.c_str()) != 0)
        fail(report, errno, "working directory " + request.cwd);
    become(report, request.user, *user);
    if (value_of(request.env, "HOME").empty()) request.env.push_back("HOME=" + user->home);
    std::vector<char*> argv, env;
    for (std::string& arg : request.argv) argv.push_back(arg.data());
    for (std::string& pair : request.env) env.push_back(pair.data());
    argv.push_back(nullptr);
    env.push_back(nullptr);
    int error =
        exec_by_path(request.argv[0], argv.data(), env.data(), value_of(request.env, "PATH"));
    fail(report, error, "program " + request.argv[0]);
}

} // namespace assay::init
