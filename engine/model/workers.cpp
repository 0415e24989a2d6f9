#include "workers.h"

#include <chrono>

namespace assay::engine {

namespace {

constexpr auto kSpin = std::chrono::microseconds(30);

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

} // namespace

Workers::Workers(int threads) {
    for (int i = 1; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
        ++jobs_;
    }
    begun_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

bool Workers::one_task(std::unique_lock<std::mutex>& lock) {
    if (next_ == count_) return false;
    const std::int64_t task = next_++;
    const auto& body = *body_;
    lock.unlock();
    body(task);
    lock.lock();
    if (++done_ == count_) ended_.notify_one();
    return true;
}

void Workers::run(std::int64_t count, const std::function<void(std::int64_t)>& body) {
    if (count <= 0) return;
    if (count == 1 || threads_.empty()) {
        for (std::int64_t i = 0; i < count; ++i) body(i);
        return;
    }
    std::unique_lock lock(mutex_);
    body_ = &body;
    next_ = done_ = 0;
    count_ = count;
    ++jobs_;
    begun_.notify_all();
    while (one_task(lock)) {
    }
    ended_.wait(lock, [this] { return done_ == count_; });
    body_ = nullptr;
}

void Workers::work() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        while (one_task(lock)) {
        }
        seen = jobs_;
        lock.unlock();
        auto until = std::chrono::steady_clock::now() + kSpin;
        while (jobs_ == seen && std::chrono::steady_clock::now() < until) pause();
        lock.lock();
        begun_.wait(lock, [&] { return stop_ || jobs_ != seen || next_ != count_; });
        if (stop_) return;
    }
}

} // namespace assay::engine
