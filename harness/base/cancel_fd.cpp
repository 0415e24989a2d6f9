#include "assay/base/cancel_fd.h"

#include "assay/base/error.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

namespace assay {

CancelFd::CancelFd(const Cancel& cancel)
    : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) throw io_error("eventfd", errno);
    watch_ = cancel.on_cancel([fd = fd_.get()] {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t n = ::write(fd, &one, sizeof one);
    });
}

short poll_one(int fd, short events, const Cancel& cancel) {
    pollfd first{fd, events, 0};
    int ready = ::poll(&first, 1, 0); // the common case costs one system call and no eventfd
    if (ready > 0) return first.revents;
    CancelFd stop(cancel);
    for (;;) {
        cancel.check();
        pollfd both[2] = {{fd, events, 0}, {stop.get(), POLLIN, 0}};
        ready = ::poll(both, 2, cancel.poll_timeout());
        if (ready < 0 && errno != EINTR) throw io_error("poll", errno);
        if (ready > 0 && both[0].revents != 0) return both[0].revents;
    }
}

} // namespace assay
