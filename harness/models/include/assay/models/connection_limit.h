// How many calls may be in flight on one connection: a limit that finds its height by itself.
//
//   ConnectionPool pool({}, clock);
//   ConnectionLimit::Slot slot = pool.at(model.connection_key())->acquire(cancel);
//   ... the call ...
//   slot.succeeded();           // or slot.overloaded(); neither says nothing
//
// The control is additive-increase, multiplicative-decrease as TCP's (Jacobson 1988), with the
// constants of Inspect AI's adaptive connections: doubling per clean round until the first
// overload, then a cut to 0.8 at most once per cool-down, and 5 % more per clean round. A round is
// as many successes as the limit is high, and counts only if the limit was what held calls back.
// First come, first served. Thread-safe.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/clock.h"

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace assay {

struct ConnectionSettings {
    int start = 20;
    int floor = 1;
    int ceiling = 100;
    bool adaptive = true; // false: `start` is the limit
    Nanoseconds cool_down = std::chrono::seconds(15);
};

class ConnectionLimit {
  public:
    struct Change {
        std::int64_t wall_microseconds = 0;
        int before = 0, after = 0;
        std::string_view cause; // "success" (a clean round), "overload", "retry_after" (overloaded,
                                // and the server said for how long); static
    };
    // Told each change, in order, under the limit's lock: quick, and calls nothing of the limit.
    using OnChange = std::function<void(const Change&)>;

    ConnectionLimit(const ConnectionSettings& settings, const Clock& clock,
                    OnChange on_change = {});

    class Slot { // the destructor gives the place back
      public:
        Slot() = default;
        Slot(Slot&& other) noexcept;
        Slot& operator=(Slot&& other) noexcept;
        ~Slot();
        void succeeded();
        void overloaded(bool told_when = false); // true: by a Retry-After

      private:
        friend class ConnectionLimit;
        Slot(ConnectionLimit* owner, std::uint64_t epoch)
            : owner_(owner)
            , epoch_(epoch) {}
        ConnectionLimit* owner_ = nullptr;
        std::uint64_t epoch_ = 0; // of the limit when the call began
    };

    Slot acquire(const Cancel& cancel); // throws Interrupted

    int limit() const;
    int in_flight() const;
    int waiting() const;

  private:
    struct Waiter {
        bool granted = false;
        std::condition_variable wake{};
    };
    void success(std::uint64_t epoch);
    void overload(std::uint64_t epoch, std::string_view cause);
    void release();
    void change(int limit, std::string_view cause); // the mutex is held, in these two
    void grant();

    const ConnectionSettings settings_;
    const Clock& clock_;
    const OnChange on_change_;
    mutable std::mutex mutex_;
    std::list<Waiter*> waiters_; // in order of arrival
    int limit_ = 0, in_flight_ = 0;
    int clean_ = 0;          // successes of this round
    bool saturated_ = false; // the limit held a call back in this round
    bool slow_start_ = true;
    std::uint64_t epoch_ = 0; // counts the cuts
    MonoTime quiet_until_{};  // end of the cool-down
};

// One limit for each connection key. Thread-safe.
class ConnectionPool {
  public:
    using OnChange = std::function<void(const std::string& key, const ConnectionLimit::Change&)>;

    ConnectionPool(const ConnectionSettings& settings, const Clock& clock, OnChange on_change = {})
        : settings_(settings)
        , clock_(clock)
        , on_change_(std::move(on_change)) {}
    std::shared_ptr<ConnectionLimit> at(const std::string& key);
    std::map<std::string, std::shared_ptr<ConnectionLimit>> all() const;

  private:
    const ConnectionSettings settings_;
    const Clock& clock_;
    const OnChange on_change_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<ConnectionLimit>> limits_;
};

} // namespace assay
