#include "call_queue.h"

#include "api_error.h"

#include <fmt/format.h>

namespace assay::serve {

CallQueue::Place::~Place() {
    if (queue_ == nullptr) return;
    std::lock_guard lock(queue_->mutex_);
    --queue_->running_;
    queue_->changed_.notify_all();
}

CallQueue::Place CallQueue::enter(const Cancel& cancel) {
    auto watch = cancel.on_cancel([this] {
        std::lock_guard lock(mutex_);
        changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    if (waiting_.size() >= most_waiting_ && running_ >= places_)
        throw ApiError(
            ApiFault::Overload,
            fmt::format("{} calls run and {} wait: the server is full", running_, waiting_.size()));
    std::uint64_t mine = next_++;
    waiting_.insert(mine);
    auto ready = [&] {
        return cancel.cancelled() || (running_ < places_ && *waiting_.begin() == mine);
    };
    if (auto deadline = cancel.deadline())
        changed_.wait_until(lock, *deadline, ready);
    else
        changed_.wait(lock, ready);
    waiting_.erase(mine);
    changed_.notify_all();
    if (!cancel.cancelled()) {
        ++running_;
        return Place(*this);
    }
    lock.unlock();
    cancel.check();
    throw ApiError(ApiFault::Internal, "the queue ended"); // not reached: it is cancelled
}

} // namespace assay::serve
