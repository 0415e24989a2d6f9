#include "hangup_watch.h"

#include "assay/base/error.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <vector>

namespace assay::serve {

HangupWatch::HangupWatch()
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw io_error("eventfd", errno);
    thread_ = std::thread([this] { run(); });
}

HangupWatch::~HangupWatch() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake();
    thread_.join();
}

void HangupWatch::wake() {
    ::eventfd_write(wake_.get(), 1);
}

HangupWatch::Guard::~Guard() {
    {
        std::lock_guard lock(watch_.mutex_);
        watch_.calls_.erase(call_);
    }
    watch_.wake(); // a poll that still runs would keep the closed connection open
}

HangupWatch::Guard HangupWatch::watch(int connection, const Cancel& call) {
    UniqueFd own(connection < 0 ? -1 : ::fcntl(connection, F_DUPFD_CLOEXEC, 0));
    std::lock_guard lock(mutex_);
    calls_.push_back({std::move(own), call, false});
    wake();
    return {*this, std::prev(calls_.end())};
}

void HangupWatch::run() {
    std::vector<pollfd> polled;
    std::vector<Cancel> gone;
    for (;;) {
        polled.assign(1, {wake_.get(), POLLIN, 0});
        {
            std::lock_guard lock(mutex_);
            if (stop_) return;
            for (const Call& call : calls_)
                if (call.fd && !call.told) polled.push_back({call.fd.get(), POLLRDHUP, 0});
        }
        ::poll(polled.data(), polled.size(), -1);
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        {
            // Looked at again under the lock: a number may have come to mean another connection.
            std::lock_guard lock(mutex_);
            for (Call& call : calls_) {
                pollfd one{call.fd.get(), POLLRDHUP, 0};
                if (!call.fd || call.told || ::poll(&one, 1, 0) != 1) continue;
                call.told = true;
                gone.push_back(call.cancel);
            }
        }
        for (const Cancel& cancel : gone) cancel.cancel(Cause::Aborted, "the client hung up");
        gone.clear();
    }
}

} // namespace assay::serve
