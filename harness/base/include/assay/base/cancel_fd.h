// A descriptor that becomes readable when a Cancel is cancelled: for poll(2). Deadlines do not make
// it readable: poll with cancel.poll_timeout().
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fd.h"

namespace assay {

class CancelFd {
  public:
    explicit CancelFd(const Cancel& cancel);
    int get() const { return fd_.get(); }

  private:
    UniqueFd fd_; // before watch_: the callback must not outlive it
    Cancel::Watch watch_;
};

// Waits for `events` (POLLIN, POLLOUT) on fd. Returns revents; throws Interrupted, Error(Io).
short poll_one(int fd, short events, const Cancel& cancel);

} // namespace assay
