// Values that are dear to make, made once a key and shared. Thread-safe: who needs a value that
// another thread is making waits for it, until his own cancel; different keys do not wait for one
// another. Making it may fail: the error goes to the maker alone, and who waited makes it himself.
#pragma once

#include "assay/base/cancel.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace assay::kernel_bench {

template<class Value>
class OncePerKey {
  public:
    std::shared_ptr<const Value> get(const std::string& key, const std::function<Value()>& make,
                                     const Cancel& cancel) {
        std::unique_lock lock(mutex_);
        Slot& slot = slots_[key]; // stays where it is
        while (slot.in_making) {
            changed_.wait_for(lock, kCancelPoll);
            cancel.check();
        }
        if (slot.value) return slot.value;
        slot.in_making = true;
        lock.unlock();
        std::shared_ptr<const Value> value;
        try {
            value = std::make_shared<const Value>(make());
        } catch (...) {
            finish(slot, nullptr);
            throw;
        }
        finish(slot, value);
        return value;
    }

  private:
    static constexpr auto kCancelPoll = std::chrono::milliseconds(50);
    struct Slot {
        std::shared_ptr<const Value> value;
        bool in_making = false;
    };

    void finish(Slot& slot, std::shared_ptr<const Value> value) {
        std::lock_guard lock(mutex_);
        slot.value = std::move(value);
        slot.in_making = false;
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Slot> slots_;
};

} // namespace assay::kernel_bench
