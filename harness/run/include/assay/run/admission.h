// Which trials may be started: claims on sandboxes, processors, memory and devices against what the
// machine has. First come, first served, but a trial that fits may pass one that does not yet, at
// most kMaxOvertakes times, so that a large claim is not starved by small ones. A claim larger than
// the machine is cut to the whole machine: the trial then runs alone. Thread-safe.
#pragma once

#include "assay/api/task.h"
#include "assay/base/cancel.h"

#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <set>
#include <string>

namespace assay {

struct Capacity {
    double cpus = 1;
    std::uint64_t memory_bytes = 0; // 0: not counted
    int sandboxes = 1000;
};

class Admission {
  public:
    static constexpr int kMaxOvertakes = 16;

    explicit Admission(Capacity capacity)
        : capacity_(capacity) {}

    class Ticket { // gives back what was claimed
      public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept;
        Ticket& operator=(Ticket&& other) noexcept;
        ~Ticket();

      private:
        friend class Admission;
        Ticket(Admission* owner, ResourceClaim claim)
            : owner_(owner)
            , claim_(std::move(claim)) {}
        Admission* owner_ = nullptr;
        ResourceClaim claim_;
    };

    // Waits; throws Interrupted.
    Ticket take(ResourceClaim claim, const Cancel& cancel);

  private:
    struct Waiter {
        const ResourceClaim* claim;
        int overtaken = 0;
        bool granted = false;
        std::condition_variable wake{};
    };
    bool fits(const ResourceClaim& claim) const;
    void add(const ResourceClaim& claim, int sign);
    void grant(); // the mutex is held
    void give_back(const ResourceClaim& claim);

    const Capacity capacity_;
    std::mutex mutex_;
    std::list<Waiter*> waiters_;
    double cpus_ = 0;
    std::uint64_t memory_ = 0;
    int sandboxes_ = 0;
    std::set<std::string> devices_;
};

} // namespace assay
