#include "child_process.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

// glibc 2.36 forgot the C linkage guards here.
extern "C" {
#include <sys/pidfd.h>
}

namespace assay {

std::string ChildExit::text() const {
    return signal != 0 ? fmt::format("killed by signal {}", signal)
                       : fmt::format("exit code {}", code);
}

bool ChildProcess::State::reap() {
    if (exit) return true;
    siginfo_t info{};
    if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info,
                 WEXITED | WNOHANG) != 0) {
        if (errno == EINTR) return false;
        throw io_error(fmt::format("wait for process {}", pid), errno);
    }
    if (info.si_pid == 0) return false;
    ChildExit how;
    if (info.si_code == CLD_EXITED)
        how.code = info.si_status;
    else
        how.signal = info.si_status;
    exit = how;
    return true;
}

ChildProcess::ChildProcess() = default;
ChildProcess::ChildProcess(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this != &other) {
        stop();
        state_ = std::move(other.state_);
    }
    return *this;
}

ChildProcess::~ChildProcess() {
    stop();
}

void ChildProcess::stop() noexcept {
    if (!state_ || state_->detached) return;
    std::lock_guard lock(state_->mutex);
    if (state_->exit) return;
    ::kill(-state_->pid, SIGKILL);
    ::pidfd_send_signal(state_->pidfd.get(), SIGKILL, nullptr, 0);
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(state_->pidfd.get()), &info,
                    WEXITED) != 0 &&
           errno == EINTR) {
    }
    state_->exit = ChildExit{.signal = SIGKILL};
}

int ChildProcess::pid() const {
    return state_->pid;
}

int ChildProcess::wait_fd() const {
    return state_->pidfd.get();
}

// Readiness of a pidfd is a hint, the answer is that of waitid: never block in it.
ChildExit ChildProcess::wait(const Cancel& cancel) {
    for (;;) {
        {
            std::lock_guard lock(state_->mutex);
            if (state_->reap()) return *state_->exit;
        }
        poll_one(state_->pidfd.get(), POLLIN, cancel);
    }
}

bool ChildProcess::ended() {
    std::lock_guard lock(state_->mutex);
    return state_->reap();
}

void ChildProcess::signal(int number) {
    std::lock_guard lock(state_->mutex);
    if (!state_->exit) ::pidfd_send_signal(state_->pidfd.get(), number, nullptr, 0);
}

void ChildProcess::signal_group(int number) {
    std::lock_guard lock(state_->mutex);
    if (!state_->exit) ::kill(-state_->pid, number);
}

void ChildProcess::detach() {
    state_->detached = true;
}

} // namespace assay
