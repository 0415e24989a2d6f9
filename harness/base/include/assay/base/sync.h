// A value wrapped in its mutex: it can only be reached through a lock.
//
//   Sync<std::vector<int>> items;
//   items.lock()->push_back(1);
#pragma once

#include <condition_variable>
#include <mutex>

namespace assay {

template<class T>
class Sync {
  public:
    Sync() = default;
    explicit Sync(T value)
        : value_(std::move(value)) {}

    class Lock {
      public:
        T* operator->() { return &owner_->value_; }
        T& operator*() { return owner_->value_; }
        void wait(std::condition_variable& wake) { wake.wait(lock_); }
        template<class Predicate>
        void wait(std::condition_variable& wake, Predicate ready) {
            wake.wait(lock_, std::move(ready));
        }
        template<class Time, class Predicate>
        bool wait_until(std::condition_variable& wake, const Time& until, Predicate ready) {
            return wake.wait_until(lock_, until, std::move(ready));
        }
        void unlock() { lock_.unlock(); }

      private:
        friend class Sync;
        explicit Lock(Sync* owner)
            : owner_(owner)
            , lock_(owner->mutex_) {}
        Sync* owner_;
        std::unique_lock<std::mutex> lock_;
    };
    Lock lock() { return Lock(this); }

  private:
    std::mutex mutex_;
    T value_;
};

} // namespace assay
