// One thread that waits for many things: signals, timers, descriptors, and pumps that copy between
// two descriptors without a thread per connection. Callbacks run on that thread and must not block.
// Everything else in the project blocks in its own thread with a Cancel.
//
//   Reactor reactor;
//   auto stop = reactor.on_signals({SIGINT, SIGTERM}, [&](int) { run.cancel(Cause::User); });
//   reactor.pump(std::move(inside), std::move(outside));
#pragma once

#include "assay/base/clock.h"
#include "assay/base/fd.h"

#include <functional>
#include <memory>
#include <vector>

namespace assay {

class Reactor {
  public:
    Reactor();
    ~Reactor(); // stops the thread; pumps end without `done`, their descriptors are closed
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    // Ends what it stands for. After the destructor returns the callback is not running and will
    // not run, unless it is the callback itself that destroys it. Must not outlive the Reactor.
    class Watch {
      public:
        Watch() = default;
        Watch(Watch&&) noexcept;
        Watch& operator=(Watch&&) noexcept;
        ~Watch();
        struct Node;

      private:
        friend class Reactor;
        explicit Watch(std::shared_ptr<Node> node);
        std::shared_ptr<Node> node_;
    };

    void post(std::function<void()> work);
    [[nodiscard]] Watch after(Nanoseconds delay, std::function<void()> callback); // once
    // Called while fd is readable (so the callback must read, or drop the watch). A duplicate is
    // watched: the caller may close its own.
    [[nodiscard]] Watch on_readable(int fd, std::function<void()> callback);
    [[nodiscard]] Watch on_signals(const std::vector<int>& numbers,
                                   std::function<void(int)> callback);

    // Copies both ways until both have ended; end of file of one is passed on as a half-close. An
    // error closes both. `done` runs on the reactor's thread after both are closed.
    void pump(UniqueFd a, UniqueFd b, std::function<void()> done = {});

  private:
    Watch start(std::shared_ptr<Watch::Node> node, std::function<void(int)> call);

    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
