// Cancels calls whose client has hung up. One thread watches the connections of all calls.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fd.h"

#include <list>
#include <mutex>
#include <thread>

namespace assay::serve {

class HangupWatch {
  public:
    HangupWatch();
    ~HangupWatch();

    struct Call {
        UniqueFd fd; // a duplicate: its number stays valid whatever happens to the connection
        Cancel cancel;
        bool told = false;
    };
    class Guard { // ends the watch over one call
      public:
        Guard(HangupWatch& watch, std::list<Call>::iterator call)
            : watch_(watch)
            , call_(call) {}
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

      private:
        HangupWatch& watch_;
        std::list<Call>::iterator call_;
    };
    // `connection` is a socket; -1 (none can be watched) is fine. `call` is cancelled when the peer
    // closes the connection or its half of it.
    [[nodiscard]] Guard watch(int connection, const Cancel& call);

  private:
    void run();
    void wake();

    UniqueFd wake_;
    std::mutex mutex_;
    std::list<Call> calls_;
    bool stop_ = false;
    std::thread thread_;
};

} // namespace assay::serve
