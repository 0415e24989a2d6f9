#include "assay/io/run_command.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/capture.h"
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/io/fd_stream.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace assay {

namespace {

using namespace std::chrono_literals;
constexpr auto kTermGrace = 2s;     // from SIGTERM to SIGKILL
constexpr auto kDrainGrace = 250ms; // from the exit to giving up on the pipes

void set_nonblocking(int fd) {
    int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        throw io_error("make a descriptor non-blocking", errno);
}

// One poll loop over the child's pipes, its pidfd and the cancel.
class Command {
  public:
    Command(Spawner& spawner, std::vector<std::string> argv, CommandOptions options)
        : options_(std::move(options))
        , out_(options_.output_limit)
        , err_(options_.output_limit) {
        ChildSpec spec;
        spec.argv = std::move(argv);
        spec.environment =
            options_.environment ? std::move(*options_.environment) : current_environment();
        spec.cwd = options_.cwd;
        Pipe out = make_pipe(), err = make_pipe();
        spec.out = std::move(out.write_end);
        spec.err = std::move(err.write_end);
        if (!options_.input.empty()) { // a socket, since MSG_NOSIGNAL spares us SIGPIPE
            SocketPair in = make_socket_pair();
            spec.in = std::move(in.second);
            in_fd_ = std::move(in.first);
            ::shutdown(in_fd_.get(), SHUT_RD);
        }
        out_fd_ = std::move(out.read_end);
        err_fd_ = std::move(err.read_end);
        set_nonblocking(out_fd_.get());
        set_nonblocking(err_fd_.get());
        child_ = spawner.spawn(std::move(spec));
        auto now = std::chrono::steady_clock::now();
        if (options_.timeout) term_at_ = now + *options_.timeout;
    }

    CommandResult run(const Cancel& cancel) {
        CancelFd stop(cancel);
        while (!done()) {
            cancel.check(); // the destructor of child_ kills and reaps
            step(stop.get(), cancel.poll_timeout(milliseconds_left()));
            advance();
        }
        result_.exit = child_.wait(cancel);
        result_.out = out_.text();
        result_.err = err_.text();
        return std::move(result_);
    }

  private:
    bool done() const {
        if (!drain_until_) return false;
        return (!out_fd_ && !err_fd_) || std::chrono::steady_clock::now() >= *drain_until_;
    }

    // The next thing that happens by time: kill or end of the drain; -1 is none.
    int milliseconds_left() const {
        std::optional<MonoTime> next = drain_until_;
        for (const auto& at : {term_at_, kill_at_})
            if (at && !drain_until_ && (!next || *at < *next)) next = at;
        if (!next) return -1;
        auto left =
            std::chrono::ceil<std::chrono::milliseconds>(*next - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }

    void step(int stop_fd, int timeout_ms) {
        // poll(2) ignores negative descriptors; after the exit the pidfd stays readable.
        pollfd polls[] = {{out_fd_.get(), POLLIN, 0},
                          {err_fd_.get(), POLLIN, 0},
                          {in_fd_.get(), POLLOUT, 0},
                          {drain_until_ ? -1 : child_.wait_fd(), POLLIN, 0},
                          {stop_fd, POLLIN, 0}};
        int ready = ::poll(polls, std::size(polls), timeout_ms);
        if (ready < 0 && errno != EINTR) throw io_error("poll", errno);
        if (ready <= 0) return;
        if (polls[0].revents != 0) pull(out_fd_, out_);
        if (polls[1].revents != 0) pull(err_fd_, err_);
        if (polls[2].revents != 0) push();
    }

    static void pull(UniqueFd& fd, Capture& into) {
        char buffer[16384];
        ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
        if (n > 0)
            into.append({buffer, static_cast<std::size_t>(n)});
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            fd.reset();
    }

    void push() {
        std::string_view left = std::string_view(options_.input).substr(given_);
        ssize_t n = ::send(in_fd_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) given_ += static_cast<std::size_t>(n);
        bool broken = n < 0 && errno != EAGAIN && errno != EINTR;
        if (broken || given_ == options_.input.size()) in_fd_.reset();
    }

    void advance() {
        auto now = std::chrono::steady_clock::now();
        if (drain_until_) return;
        if (child_.ended()) {
            drain_until_ = now + kDrainGrace;
            in_fd_.reset();
            return;
        }
        if (term_at_ && now >= *term_at_) {
            result_.timed_out = true;
            child_.signal_group(SIGTERM);
            kill_at_ = now + kTermGrace;
            term_at_.reset();
        }
        if (kill_at_ && now >= *kill_at_) {
            child_.signal_group(SIGKILL);
            kill_at_.reset();
        }
    }

    CommandOptions options_;
    Capture out_, err_;
    UniqueFd in_fd_, out_fd_, err_fd_;
    std::size_t given_ = 0;
    std::optional<MonoTime> term_at_, kill_at_, drain_until_;
    CommandResult result_;
    ChildProcess child_;
};

} // namespace

CommandResult run_command(Spawner& spawner, std::vector<std::string> argv, CommandOptions options,
                          const Cancel& cancel) {
    cancel.check();
    return Command(spawner, std::move(argv), std::move(options)).run(cancel);
}

std::string run_checked(Spawner& spawner, std::vector<std::string> argv, CommandOptions options,
                        const Cancel& cancel) {
    std::string line;
    for (const std::string& word : argv) line += (line.empty() ? "" : " ") + shell_quote(word);
    CommandResult result = run_command(spawner, std::move(argv), std::move(options), cancel);
    if (result.ok()) return std::move(result.out);
    std::string how = result.timed_out ? "timed out" : result.exit.text();
    std::string_view text = trim(result.err.empty() ? result.out : result.err);
    throw Error(ErrorKind::Io,
                fmt::format("{}: {}\n{}", cut_middle(line, 400), how, cut_middle(text, 2000)));
}

} // namespace assay
