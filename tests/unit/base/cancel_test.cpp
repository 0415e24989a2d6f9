#include "assay/base/cancel.h"
#include "assay/base/cancel_fd.h"
#include "catch.h"

#include <poll.h>

#include <atomic>
#include <thread>

using namespace assay;
using namespace std::chrono_literals;

TEST_CASE("the first cause is the one that counts") {
    Cancel run;
    Cancel trial = run.child();
    trial.cancel(Cause::TurnLimit, "200 turns");
    run.cancel(Cause::User);
    REQUIRE(trial.reason()->cause == Cause::TurnLimit);
    REQUIRE(run.reason()->cause == Cause::User);
    REQUIRE_THROWS_AS(trial.check(), Interrupted);
}

TEST_CASE("children inherit, parents do not") {
    Cancel run;
    Cancel trial = run.child(), phase = trial.child();
    phase.cancel(Cause::SandboxLost);
    REQUIRE_FALSE(trial.cancelled());
    run.cancel(Cause::User, "Ctrl-C");
    REQUIRE(trial.reason()->cause == Cause::User);
    REQUIRE(trial.child().reason()->detail == "Ctrl-C");
}

TEST_CASE("a parent's deadline ends its children with its cause") {
    Cancel trial = Cancel().child(Cause::TimeLimit, 5ms, "5 ms");
    Cancel phase = trial.child(Cause::Deadline, 10s, "10 s");
    REQUIRE(phase.poll_timeout() <= 5);
    REQUIRE_FALSE(phase.sleep_for(1s));
    REQUIRE(phase.reason()->cause == Cause::TimeLimit);
}

TEST_CASE("a huge limit is no limit") {
    Cancel phase = Cancel().child(Cause::Deadline, Nanoseconds::max(), "");
    REQUIRE_FALSE(phase.deadline());
    REQUIRE(phase.poll_timeout() == -1);
    REQUIRE(phase.poll_timeout(7) == 7);
}

TEST_CASE("callbacks run once, at once if it was already cancelled, never after Watch is gone") {
    Cancel c;
    std::atomic<int> calls{0};
    auto kept = c.on_cancel([&] { ++calls; });
    {
        auto dropped = c.on_cancel([&] { calls += 100; });
    }
    c.cancel(Cause::User);
    c.cancel(Cause::User);
    REQUIRE(calls == 1);
    auto late = c.on_cancel([&] { ++calls; });
    REQUIRE(calls == 2);
}

TEST_CASE("a blocked wait wakes") {
    Cancel c;
    std::jthread other([&] {
        std::this_thread::sleep_for(20ms);
        c.cancel(Cause::User);
    });
    auto began = std::chrono::steady_clock::now();
    REQUIRE_FALSE(c.sleep_for(20s));
    REQUIRE(std::chrono::steady_clock::now() - began < 10s);

    Cancel again;
    CancelFd fd(again);
    pollfd p{fd.get(), POLLIN, 0};
    REQUIRE(::poll(&p, 1, 0) == 0);
    again.cancel(Cause::User);
    REQUIRE(::poll(&p, 1, 0) == 1);
}

TEST_CASE("a sleep is not cut short by a limit that stands still") {
    Cancel c = Cancel().child(Cause::Deadline, 30ms, "limit");
    c.stop_clock();
    auto began = std::chrono::steady_clock::now();
    CHECK(c.sleep_for(150ms));
    CHECK(std::chrono::steady_clock::now() - began >= 150ms);
    c.start_clock();
    CHECK_FALSE(c.sleep_for(5s)); // the rest of the limit
    CHECK(c.reason()->cause == Cause::Deadline);
}

TEST_CASE("many threads may cancel and watch at once") {
    for (int round = 0; round < 50; ++round) {
        Cancel root;
        std::atomic<int> calls{0};
        auto wait = [&] {
            Cancel child = root.child();
            std::atomic<bool> called{false};
            auto watch = child.on_cancel([&] {
                ++calls;
                called = true;
            });
            child.sleep_for(5s);
            // A sleeper may see the cause before its callback has run; it stays until it has, since
            // a watch that is gone is not called.
            for (int i = 0; i < 5000 && !called; ++i) std::this_thread::sleep_for(1ms);
        };
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 4; ++i) threads.emplace_back(wait);
            threads.emplace_back([&] { root.cancel(Cause::User); });
        }
        REQUIRE(calls == 4);
    }
}
