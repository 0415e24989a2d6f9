#include "workers.h"

#include <chrono>

namespace assay::engine {

namespace {

constexpr auto kSpin = std::chrono::microseconds(30);
constexpr std::int64_t kMostTasks = 1 << 30; // of a job: two counts fit a word

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

template<class Ready>
bool spin(const Ready& ready) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    while (!ready()) {
        if (std::chrono::steady_clock::now() >= until) return false;
        for (int i = 0; i < 8; ++i) pause();
    }
    return true;
}

std::uint64_t word(std::int64_t next, std::int64_t end) {
    return static_cast<std::uint64_t>(next) << 32 | static_cast<std::uint64_t>(end);
}

} // namespace

Workers::Workers(int threads)
    : all_(threads > 1 ? static_cast<std::size_t>(threads) : 1)
    , stretches_(new Stretch[all_]) {
    for (std::size_t i = 1; i < all_; ++i) threads_.emplace_back([this, i] { work(i); });
}

Workers::~Workers() {
    stop_ = true;
    ++jobs_;
    jobs_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

bool Workers::take(Stretch& from) {
    std::uint64_t left = from.left.load(std::memory_order_acquire);
    do {
        if (left >> 32 == (left & 0xffffffffu)) return false;
    } while (!from.left.compare_exchange_weak(left, left + (std::uint64_t{1} << 32),
                                              std::memory_order_acq_rel));
    const std::uint32_t count = count_;
    (*body_)(static_cast<std::int64_t>(left >> 32));
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done_.notify_one();
    return true;
}

void Workers::take_all(std::size_t self) {
    for (std::size_t i = 0; i < all_; ++i)
        while (take(stretches_[(self + i) % all_])) {
        }
}

void Workers::wait_until_done(std::uint32_t count) {
    if (spin([&] { return done_.load(std::memory_order_acquire) == count; })) return;
    for (;;) {
        const std::uint32_t done = done_.load(std::memory_order_acquire);
        if (done == count) return;
        done_.wait(done, std::memory_order_acquire);
    }
}

void Workers::run(std::int64_t count, const std::function<void(std::int64_t)>& body) {
    if (count <= 0) return;
    if (count == 1 || all_ == 1 || count > kMostTasks) {
        for (std::int64_t i = 0; i < count; ++i) body(i);
        return;
    }
    const auto all = static_cast<std::int64_t>(all_);
    body_ = &body;
    count_ = static_cast<std::uint32_t>(count);
    done_.store(0, std::memory_order_relaxed);
    for (std::int64_t i = 0; i < all; ++i)
        stretches_[static_cast<std::size_t>(i)].left.store(
            word(count * i / all, count * (i + 1) / all), std::memory_order_release);
    ++jobs_;
    jobs_.notify_all();
    take_all(0);
    wait_until_done(count_);
}

void Workers::work(std::size_t self) {
    for (;;) {
        const std::uint32_t seen = jobs_.load(std::memory_order_acquire);
        if (stop_) return;
        take_all(self);
        if (!spin([&] { return jobs_.load(std::memory_order_acquire) != seen; }))
            jobs_.wait(seen, std::memory_order_acquire);
    }
}

} // namespace assay::engine
