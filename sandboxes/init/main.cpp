#include "init/init.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>

namespace assay::init {
namespace {

constexpr int kControl = 3;

class Init {
  public:
    [[noreturn]] void run() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &set, nullptr);
        int signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        wire::send_message(kControl, wire::Op::Hello, 0, {});
        for (;;) {
            pollfd fds[2] = {{kControl, POLLIN, 0}, {signals, POLLIN, 0}};
            if (::poll(fds, 2, -1) < 0 && errno != EINTR) ::_exit(1);
            if (fds[1].revents != 0) {
                signalfd_siginfo info;
                while (::read(signals, &info, sizeof info) > 0) {
                }
                reap();
            }
            if (fds[0].revents == 0) continue;
            wire::Message message;
            int error = wire::receive_message(kControl, message);
            if (error < 0) ::_exit(0);
            if (error == 0) serve(message);
            wire::close_fds(message.fds);
        }
    }

  private:
    void reap() {
        int status = 0;
        for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            auto found = running_.find(pid);
            if (found == running_.end()) continue;
            std::int32_t record[2] = {WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                                      WIFSIGNALED(status) ? WTERMSIG(status) : 0};
            // A new pipe has room for it; if its reader is gone nobody wants to know.
            [[maybe_unused]] ssize_t n = ::write(found->second, record, sizeof record);
            ::close(found->second);
            running_.erase(found);
        }
    }

    void answer(const wire::Message& to, std::string_view payload,
                const std::vector<int>& fds = {}) {
        wire::send_message(kControl, wire::Op::Ok, to.id, payload, fds);
    }
    void refuse(const wire::Message& to, int error, std::string_view stage) {
        wire::send_message(kControl, wire::Op::Failed, to.id,
                           wire::Writer().i32(error).str(stage).data());
    }

    void serve(wire::Message& message) {
        switch (message.op) {
        case wire::Op::Spawn:
            return spawn(message);
        case wire::Op::Signal:
            return signal(message);
        case wire::Op::Socket:
            return socket(message);
        case wire::Op::File:
            return file(message);
        case wire::Op::Count:
            return count(message);
        case wire::Op::KillAll:
            return kill_all(message);
        default:
            return refuse(message, ENOSYS, "request");
        }
    }

    void spawn(wire::Message& message) {
        wire::Reader reader(message.payload);
        SpawnRequest request;
        request.flags = reader.u32();
        request.rows = reader.u32();
        request.columns = reader.u32();
        request.user = reader.str();
        request.cwd = reader.str();
        request.argv = reader.list();
        request.env = reader.list();
        if (!reader.done() || request.argv.empty() || message.fds.size() < 2)
            return refuse(message, EBADMSG, "request");
        int pty = -1;
        if ((request.flags & wire::kSpawnPty) != 0) {
            pty = open_pty(request);
            if (pty < 0) return refuse(message, errno, "pty");
        }
        pid_t pid = ::fork();
        if (pid == 0) exec_child(request, message.fds, pty);
        if (pid < 0) {
            refuse(message, errno, "fork");
        } else {
            running_[pid] = ::fcntl(message.fds[1], F_DUPFD_CLOEXEC, 4);
            wire::Writer reply;
            reply.i32(pid);
            if (pty >= 0)
                answer(message, reply.data(), {pty});
            else
                answer(message, reply.data());
        }
        if (pty >= 0) ::close(pty);
    }

    static int open_pty(const SpawnRequest& request) {
        int pty = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (pty < 0) return -1;
        int unlock = 0;
        winsize size{static_cast<unsigned short>(request.rows),
                     static_cast<unsigned short>(request.columns), 0, 0};
        if (::ioctl(pty, TIOCSPTLCK, &unlock) == 0 && ::ioctl(pty, TIOCSWINSZ, &size) == 0)
            return pty;
        int error = errno;
        ::close(pty);
        errno = error;
        return -1;
    }

    // The leader is unreaped while it is in the table, so that its number cannot be a stranger's.
    void signal(wire::Message& message) {
        wire::Reader reader(message.payload);
        pid_t pid = reader.i32();
        int number = reader.i32();
        if (!reader.done()) return refuse(message, EBADMSG, "request");
        if (running_.count(pid) != 0 && ::kill(-pid, number) != 0) ::kill(pid, number);
        answer(message, {});
    }

    void socket(wire::Message& message) {
        int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
        if (fd < 0) return refuse(message, errno, "socket");
        answer(message, {}, {fd});
        ::close(fd);
    }

    void file(wire::Message& message) {
        if (message.fds.size() != 1) return refuse(message, EBADMSG, "request");
        pid_t pid = ::fork();
        if (pid == 0) {
            ::close(kControl);
            serve_file(message.fds[0], message.payload);
        }
        if (pid < 0) return refuse(message, errno, "fork");
        answer(message, {});
    }

    void count(wire::Message& message) {
        std::uint32_t n = 0;
        DIR* folder = ::opendir("/proc");
        if (folder == nullptr) return refuse(message, errno, "/proc");
        while (dirent* entry = ::readdir(folder)) {
            int pid = std::atoi(entry->d_name);
            if (pid > 1) n++;
        }
        ::closedir(folder);
        answer(message, wire::Writer().u32(n).data());
    }

    // No program of the sandbox has a part in it: those could have been replaced.
    void kill_all(wire::Message& message) {
        for (int tries = 0; ::kill(-1, SIGKILL) == 0 || errno != ESRCH; tries++) {
            if (tries == kKillTries) return refuse(message, EBUSY, "end all processes");
            ::usleep(1000);
            reap(); // the kernel counts those that nobody has waited for
        }
        answer(message, {});
    }

    static constexpr int kKillTries = 10'000; // some 10 s
    std::map<pid_t, int> running_; // started by a request and not yet reaped -> its status pipe
};

} // namespace
} // namespace assay::init

int main() {
    ::prctl(PR_SET_DUMPABLE, 0);
    ::close_range(4, ~0u, 0);
    ::fcntl(3, F_SETFD, FD_CLOEXEC);
    ::signal(SIGPIPE, SIG_IGN);
    ::setsid();
    ::umask(022);
    assay::init::Init().run();
}
