// Who may run: every phase of every trial holds a share of the gate; a timed kernel holds it alone.
//
//   PhaseGate::Share share = gate.enter(cancel);   // a phase begins
//   share.make_exclusive(cancel);                  // no other phase runs from here
//   share.make_shared();                           // the others go on; the phase too
//
// First come, first served: a phase that wants to begin waits behind an exclusive claim that is
// already waiting, and the other way round, so neither starves. A claim gives up its own share
// before it waits, so two claims cannot wait for each other. Waits throw Interrupted when
// cancelled, and then the share is gone. Thread-safe; a Share belongs to one thread at a time.
#pragma once

#include "assay/base/cancel.h"

#include <condition_variable>
#include <list>
#include <mutex>

namespace assay {

class PhaseGate {
  public:
    class Share {
      public:
        Share() = default;
        Share(Share&& other) noexcept;
        Share& operator=(Share&& other) noexcept;
        ~Share();
        void make_exclusive(const Cancel& cancel);
        void make_shared(); // keeps a share without waiting

      private:
        friend class PhaseGate;
        enum class Mode { None, Shared, Exclusive };
        Share(PhaseGate* gate, Mode mode)
            : gate_(gate)
            , mode_(mode) {}
        void leave();
        PhaseGate* gate_ = nullptr;
        Mode mode_ = Mode::None;
    };

    Share enter(const Cancel& cancel);

  private:
    struct Waiter {
        bool exclusive;
        bool granted = false;
        std::condition_variable wake{};
    };
    void acquire(bool exclusive, const Cancel& cancel);
    void release(bool exclusive);
    void grant(); // wakes those at the front that may go; the mutex is held
    bool may_go(bool exclusive) const;

    std::mutex mutex_;
    std::list<Waiter*> waiters_; // in order of arrival
    int shared_ = 0;
    bool exclusive_ = false;
};

} // namespace assay
