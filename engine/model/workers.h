// Threads that share the work of one operation. The caller takes part. Each thread has a stretch of
// the tasks of its own, so that it reads on in memory where it was, and takes from the others'
// stretches when that is done: a thread that is held up by another process holds up one task and
// not its share of all. Idle threads spin for some microseconds, then sleep: they leave the
// processor to the sandboxes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
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
    int threads() const { return static_cast<int>(all_); }

  private:
    // The tasks of a stretch that are left: the next one and the end, in one word, so that whoever
    // takes a task has taken it of the job whose stretch it is.
    struct alignas(64) Stretch {
        std::atomic<std::uint64_t> left = 0;
    };

    void work(std::size_t self);
    void take_all(std::size_t self);
    bool take(Stretch& from);
    void wait_until_done(std::uint32_t count);

    const std::size_t all_;                           // threads
    std::unique_ptr<Stretch[]> stretches_;            // of each thread, the caller's first
    alignas(64) std::atomic<std::uint32_t> jobs_ = 0; // begun so far
    alignas(64) std::atomic<std::uint32_t> done_ = 0; // tasks of this job
    std::atomic<bool> stop_ = false;
    // Written while no task is left, read by who has taken one.
    const std::function<void(std::int64_t)>* body_ = nullptr;
    std::uint32_t count_ = 0;
    std::vector<std::thread> threads_;
};

} // namespace assay::engine
