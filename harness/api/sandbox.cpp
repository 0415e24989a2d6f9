#include "assay/api/sandbox.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/capture.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

namespace assay {

std::string ExitStatus::text() const {
    return signal != 0 ? "killed by signal " + std::to_string(signal)
                       : "exit code " + std::to_string(code);
}

std::unique_ptr<Terminal> Sandbox::open_terminal(const std::vector<std::string>&,
                                                 const TerminalOptions&, const Cancel&) {
    throw Error(ErrorKind::Unsupported, "sandbox " + name() + " has no terminals");
}

LayerTar Sandbox::layer_tar(std::uint64_t, const Cancel&) {
    throw Error(ErrorKind::Unsupported, "sandbox " + name() + " has no layer that could be kept");
}

namespace {

constexpr auto kKillGrace = std::chrono::seconds(2);
constexpr auto kDrainGrace = std::chrono::milliseconds(250); // a daemon may hold the pipe for ever

// One exec: two captures and a process, driven by poll(2) in the calling thread.
class ExecRun {
  public:
    ExecRun(Process& process, const ExecOptions& options, const Cancel& cancel)
        : process_(process)
        , options_(options)
        , cancel_(cancel)
        , stop_(cancel)
        , out_(options.output_limit)
        , err_(options.output_limit)
        , out_open_(true)
        , err_open_(!options.merge_stderr && !options.terminal) {}

    ExecResult run() {
        auto began = std::chrono::steady_clock::now();
        if (options_.timeout) give_up_ = began + *options_.timeout;
        std::jthread feeder;
        if (options_.stdin_mode == StdinMode::Pipe) feeder = std::jthread([this] { feed(); });
        ExecResult result;
        try {
            bool pollable = process_.out().poll_fd() >= 0 && process_.wait_fd() >= 0;
            if (pollable)
                pump();
            else
                drain_in_turn();
        } catch (const Interrupted&) {
            process_.signal(SIGKILL);
            feed_cancel_.cancel(Cause::Aborted);
            throw;
        }
        result.status = process_.wait(cancel_);
        feed_cancel_.cancel(Cause::Aborted);
        result.timed_out = timed_out_;
        result.out = out_.text();
        result.err = err_.text();
        result.out_bytes = out_.total();
        result.err_bytes = err_.total();
        result.seconds = seconds(std::chrono::steady_clock::now() - began);
        return result;
    }

  private:
    void feed() {
        try {
            process_.in().write(options_.input, feed_cancel_);
        } catch (const std::exception&) {
            // A command that does not read its input is not an error.
        }
        try {
            process_.in().close();
        } catch (const std::exception&) {
        }
    }

    // Streams without a descriptor (the null sandbox): one after the other.
    void drain_in_turn() {
        std::array<char, 4096> buffer;
        while (std::size_t n = process_.out().read(buffer, cancel_))
            out_.append({buffer.data(), n});
        while (err_open_) {
            std::size_t n = process_.err().read(buffer, cancel_);
            if (n == 0) break;
            err_.append({buffer.data(), n});
        }
    }

    void pump() {
        while (out_open_ || err_open_ || !ended_) {
            cancel_.check();
            std::array<pollfd, 4> fds = {{{out_open_ ? process_.out().poll_fd() : -1, POLLIN, 0},
                                          {err_open_ ? process_.err().poll_fd() : -1, POLLIN, 0},
                                          {ended_ ? -1 : process_.wait_fd(), POLLIN, 0},
                                          {stop_.get(), POLLIN, 0}}};
            int ready = ::poll(fds.data(), fds.size(), timeout());
            if (ready < 0 && errno != EINTR) throw io_error("poll", errno);
            if (fds[0].revents != 0) out_open_ = take(process_.out(), out_);
            if (fds[1].revents != 0) err_open_ = take(process_.err(), err_);
            auto now = std::chrono::steady_clock::now();
            if (fds[2].revents != 0 && !ended_) {
                ended_ = true;
                drain_until_ = now + kDrainGrace;
            }
            if (ended_ && now >= drain_until_) return;
            if (give_up_ && now >= *give_up_ && !ended_) escalate(now);
        }
    }

    int timeout() const {
        auto now = std::chrono::steady_clock::now();
        int cap = -1;
        auto until = ended_ ? std::optional(drain_until_) : give_up_;
        if (until)
            cap = static_cast<int>(std::clamp<std::int64_t>(
                std::chrono::ceil<std::chrono::milliseconds>(*until - now).count(), 0, 86'400'000));
        return cancel_.poll_timeout(cap);
    }

    void escalate(MonoTime now) {
        process_.signal(timed_out_ ? SIGKILL : SIGTERM);
        give_up_ = timed_out_ ? now + std::chrono::hours(24) : now + kKillGrace;
        timed_out_ = true;
    }

    bool take(Stream& from, Capture& into) {
        std::array<char, 16384> buffer;
        std::size_t n = from.read(buffer, cancel_);
        into.append({buffer.data(), n});
        return n != 0;
    }

    Process& process_;
    const ExecOptions& options_;
    const Cancel& cancel_;
    CancelFd stop_;
    Cancel feed_cancel_;
    Capture out_, err_;
    bool out_open_, err_open_, ended_ = false, timed_out_ = false;
    std::optional<MonoTime> give_up_;
    MonoTime drain_until_{};
};

} // namespace

ExecResult Sandbox::exec(const std::vector<std::string>& argv, const ExecOptions& options,
                         const Cancel& cancel) {
    cancel.check();
    std::unique_ptr<Process> process = spawn(argv, options, cancel);
    return ExecRun(*process, options, cancel).run();
}

ExecResult run_shell(Sandbox& sandbox, const std::string& command, const ExecOptions& options,
                     const Cancel& cancel) {
    try {
        return sandbox.exec({"bash", "-c", command}, options, cancel);
    } catch (const StartError&) {
        return sandbox.exec({"sh", "-c", command}, options, cancel);
    }
}

} // namespace assay
