#include "terminal_relay.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"
#include "assay/io/reactor.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace assay {

namespace {

TerminalSize current_size() {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {80, 24};
    return {size.ws_col, size.ws_row};
}

class RawMode { // of standard input, as long as it lives
  public:
    RawMode() {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0)
            throw io_error("read terminal settings", errno);
        termios raw = before_;
        ::cfmakeraw(&raw);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    ~RawMode() { ::tcsetattr(STDIN_FILENO, TCSANOW, &before_); }
    RawMode(const RawMode&) = delete;
    RawMode& operator=(const RawMode&) = delete;

  private:
    termios before_{};
};

std::vector<std::string> login_shell(bool interactive) {
    std::string choose = "if command -v bash >/dev/null 2>&1; then exec bash";
    choose += interactive ? " -i; else exec sh -i; fi" : "; else exec sh; fi";
    return {"sh", "-c", choose};
}

void write_out(std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::write(STDOUT_FILENO, data.data(), data.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw io_error("write to standard output", errno);
        data.remove_prefix(static_cast<std::size_t>(n));
    }
}

// Copies until the process has ended and its output is read.
void relay(Process& process, const Cancel& cancel) {
    CancelFd stop(cancel);
    bool input = true, output = true;
    std::array<char, 16384> buffer;
    while (output) {
        std::array<pollfd, 3> fds = {{{input ? STDIN_FILENO : -1, POLLIN, 0},
                                      {process.out().poll_fd(), POLLIN, 0},
                                      {stop.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), cancel.poll_timeout()) < 0 && errno != EINTR)
            throw io_error("poll", errno);
        cancel.check();
        if (fds[0].revents != 0) {
            ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (n > 0) {
                process.in().write({buffer.data(), static_cast<std::size_t>(n)}, cancel);
            } else if (n == 0 || errno != EINTR) {
                input = false;
                process.in().shutdown_write();
            }
        }
        if (fds[1].revents != 0) {
            std::size_t n = process.out().read(buffer, cancel);
            if (n == 0) output = false;
            write_out({buffer.data(), n});
        }
    }
}

} // namespace

int relay_terminal(Sandbox& sandbox, const Cancel& cancel) {
    bool interactive = ::isatty(STDIN_FILENO) == 1;
    SpawnOptions options;
    if (interactive) {
        options.terminal = current_size();
        const char* term = std::getenv("TERM");
        options.environment["TERM"] = term != nullptr ? term : "xterm";
    } else {
        options.stdin_mode = StdinMode::Pipe;
        options.merge_stderr = true;
    }
    std::unique_ptr<Process> process = sandbox.spawn(login_shell(interactive), options, cancel);
    if (process->out().poll_fd() < 0)
        throw Error(ErrorKind::Unsupported, "this sandbox backend runs no shell")
            .hint("choose another with --sandbox; see `assay list sandboxes`");
    {
        std::optional<RawMode> raw;
        if (interactive) raw.emplace();
        Reactor reactor;
        auto resized =
            reactor.on_signals({SIGWINCH}, [&](int) { process->resize(current_size()); });
        relay(*process, cancel);
    }
    ExitStatus status = process->wait(cancel);
    return status.signal != 0 ? 128 + status.signal : status.code;
}

} // namespace assay
