// Lets N calls run at a time; the others wait in the order in which they came.
#pragma once

#include "assay/base/cancel.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

namespace assay::serve {

class CallQueue {
  public:
    CallQueue(std::size_t places, std::size_t most_waiting)
        : places_(places)
        , most_waiting_(most_waiting) {}

    class Place { // given back by the destructor
      public:
        explicit Place(CallQueue& queue)
            : queue_(&queue) {}
        Place(Place&& other) noexcept
            : queue_(std::exchange(other.queue_, nullptr)) {}
        ~Place();

      private:
        CallQueue* queue_;
    };
    // Throws ApiError(Overload) if too many wait already, Interrupted.
    Place enter(const Cancel& cancel);

  private:
    const std::size_t places_, most_waiting_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t running_ = 0;
    std::uint64_t next_ = 0;
    std::set<std::uint64_t> waiting_; // by number: the lowest is first
};

} // namespace assay::serve
