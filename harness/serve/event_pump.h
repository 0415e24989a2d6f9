// Writes the events of a stream on a thread of its own, so that a client that reads slowly never
// holds up the model: what it has not taken yet is kept up to a bound, then the call is cancelled.
#pragma once

#include "assay/base/cancel.h"
#include "assay/net/http_server.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace assay::serve {

class EventPump {
  public:
    // Starts the answer. Borrows the writer, which nobody else may use until finish().
    EventPump(ResponseWriter& writer, std::size_t most_pending, Cancel call);
    ~EventPump(); // without finish(): drops what is pending, and the connection is cut

    void push(const SseEvent& event); // never blocks for long; any thread
    // Waits until all is written. False: the client did not take it.
    bool finish();

  private:
    void run();
    void stop(bool drop);

    ResponseWriter& writer_;
    const std::size_t most_pending_;
    Cancel call_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string pending_;
    bool ended_ = false, failed_ = false;
    std::thread thread_;
};

} // namespace assay::serve
