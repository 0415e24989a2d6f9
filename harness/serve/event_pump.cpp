#include "event_pump.h"

#include "assay/base/log.h"

#include <utility>

namespace assay::serve {

EventPump::EventPump(ResponseWriter& writer, std::size_t most_pending, Cancel call)
    : writer_(writer)
    , most_pending_(most_pending)
    , call_(std::move(call)) {
    writer_.start_events();
    thread_ = std::thread([this] { run(); });
}

EventPump::~EventPump() {
    if (!thread_.joinable()) return;
    stop(true);
    writer_.break_connection(); // the client must not take the part for the whole
}

void EventPump::push(const SseEvent& event) {
    std::string text = format_sse(event);
    std::unique_lock lock(mutex_);
    if (failed_) return;
    if (pending_.size() + text.size() > most_pending_) {
        failed_ = true;
        lock.unlock();
        call_.cancel(Cause::Aborted, "the client does not read what the model writes");
        return;
    }
    pending_ += text;
    changed_.notify_all();
}

void EventPump::stop(bool drop) {
    {
        std::lock_guard lock(mutex_);
        ended_ = true;
        failed_ = failed_ || drop;
        changed_.notify_all();
    }
    thread_.join();
}

bool EventPump::finish() {
    stop(false);
    if (failed_) writer_.break_connection();
    return !failed_;
}

void EventPump::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return failed_ || ended_ || !pending_.empty(); });
        if (failed_ || pending_.empty()) return;
        std::string data = std::exchange(pending_, {});
        lock.unlock();
        std::string problem;
        try {
            writer_.write(data);
        } catch (const std::exception& e) { // it hung up, or reads nothing
            problem = e.what();
        }
        if (!problem.empty()) {
            log_debug("serve: {}", problem);
            call_.cancel(Cause::Aborted, "the client went away");
        }
        lock.lock();
        failed_ = failed_ || !problem.empty();
    }
}

} // namespace assay::serve
