// Cancellation with a cause. A Cancel is a cheap shared handle; children inherit from their parent,
// and the *first* cause is the one that counts: it decides the class of the attempt.
//
//   Cancel phase = trial.child(Cause::Deadline, 600s, "agent phase");
//   phase.check();                                   // throws Interrupted
//   if (!phase.sleep_for(2s)) ...                    // woken early
//   auto watch = phase.on_cancel([&] { wake(); });   // for code that blocks in poll() or a cv
//
// Deadlines fire lazily: whoever waits must wait at most until deadline(). Thread-safe throughout.
// on_cancel callbacks run on the cancelling thread (or on the registering one if already cancelled)
// and must not block; a deadline runs no callbacks by itself.
#pragma once

#include "assay/base/clock.h"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

enum class Cause {
    User,      // Ctrl-C twice, or abort from outside
    Deadline,  // a phase's wall-clock limit
    TurnLimit, // budgets of the attempt
    TokenLimit,
    CostLimit,
    TimeLimit,    // budget of the attempt, over all phases
    RunCostLimit, // --max-cost of the whole run
    SandboxLost,  // the environment went away
    Aborted,      // by the gate or by an error elsewhere
};

std::string_view to_string(Cause cause);
bool is_limit(Cause cause); // a limit set by task or user: the attempt is scored as it stands

struct CancelReason {
    Cause cause = Cause::User;
    std::string detail; // "agent phase: 600 s"
};

// Thrown by Cancel::check() and by blocking calls. Not an Error on purpose.
class Interrupted : public std::exception {
  public:
    explicit Interrupted(CancelReason reason);
    const CancelReason& reason() const { return reason_; }
    const char* what() const noexcept override { return text_.c_str(); }

  private:
    CancelReason reason_;
    std::string text_;
};

class Cancel {
  public:
    Cancel(); // a new root, never cancelled unless cancel() is called

    Cancel child() const;
    Cancel child(Cause at_deadline, Nanoseconds limit, std::string detail) const;

    void cancel(Cause cause, std::string detail = {}) const;
    bool cancelled() const;
    std::optional<CancelReason> reason() const;
    void check() const;

    // Time in our own queues is not a phase's: between the two calls the own deadline of this
    // Cancel (not its parents') stands still. A deadline that has passed stays passed.
    void stop_clock() const;
    void start_clock() const;

    // The earliest deadline of this and its parents; nullopt is "none".
    std::optional<MonoTime> deadline() const;
    // Milliseconds until the deadline for poll(2): -1 none, 0 passed; at most `cap` if cap >= 0.
    int poll_timeout(int cap = -1) const;
    // False if cancelled (or past the deadline) before the time was over.
    bool sleep_for(Nanoseconds duration) const;

    class Watch { // unregisters; after the destructor returns the callback is not running
      public:
        Watch() = default;
        Watch(Watch&&) noexcept;
        Watch& operator=(Watch&&) noexcept;
        ~Watch();

      private:
        friend class Cancel;
        struct Node;
        explicit Watch(std::shared_ptr<Node> node);
        std::shared_ptr<Node> node_;
    };
    [[nodiscard]] Watch on_cancel(std::function<void()> callback) const;

  private:
    struct State;
    explicit Cancel(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace assay
