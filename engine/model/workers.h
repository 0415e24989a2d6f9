// Threads that share the work of one operation. The caller takes part; tasks are taken one by one,
// so a thread that is held up by another process holds up one task and not its share of all. Idle
// threads spin for some microseconds, then sleep: they leave the processor to the sandboxes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace assay::engine {

class Workers {
  public:
    explicit Workers(int threads); // the caller counted
    ~Workers();
    Workers(const Workers&) = delete;

    // body(0) .. body(count - 1), in any order and on any thread; returns when all are done. One
    // call at a time. `body` must not throw.
    void run(std::int64_t count, const std::function<void(std::int64_t)>& body);
    int threads() const { return static_cast<int>(threads_.size()) + 1; }

  private:
    void work();
    bool one_task(std::unique_lock<std::mutex>& lock);

    std::mutex mutex_;
    std::condition_variable begun_, ended_;
    std::atomic<std::uint64_t> jobs_ = 0; // begun so far: what a spinning thread looks at
    bool stop_ = false;
    const std::function<void(std::int64_t)>* body_ = nullptr;
    std::int64_t next_ = 0, count_ = 0, done_ = 0;
    std::vector<std::thread> threads_;
};

} // namespace assay::engine
