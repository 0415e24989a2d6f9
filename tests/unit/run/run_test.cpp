// The queue: retries, stopping, resuming, and many trials at once.
#include "catch.h"
#include "run_fixture.h"

#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

TEST_CASE("an infrastructure error is retried, and each try is kept") {
    RunFixture f;
    std::atomic<int> tries = 0;
    f.agent = [&](const Task&, TrialContext&) {
        if (++tries < 3) throw SandboxLost("planted");
    };
    RunResult result = f.go();
    auto rows = f.store->tries();
    REQUIRE(rows.size() == 3);
    CHECK(result.scored == 1);
    CHECK(result.in_error == 0);
    for (int i = 0; i < 3; ++i) {
        CHECK(rows[static_cast<std::size_t>(i)].number == i + 1);
        CHECK(rows[static_cast<std::size_t>(i)].end.accepted == (i == 2));
    }
}

TEST_CASE("exit of a drain: nothing new begins, what runs is finished") {
    RunFixture f(plain_tasks(6));
    f.settings.jobs = 2;
    std::atomic<int> running = 0;
    f.agent = [&](const Task&, TrialContext&) {
        if (++running == 2) f.run->drain();
        while (running < 2) std::this_thread::sleep_for(1ms);
    };
    RunResult result = f.go();
    CHECK(result.drained);
    CHECK_FALSE(result.stopped);
    CHECK(result.scored == 2);
    CHECK(result.untouched == 4);
    CHECK(f.store->tries().size() == 2);
}

TEST_CASE("a stop breaks off what runs, and a resume runs exactly the rest") {
    RunFixture f(plain_tasks(6));
    f.settings.jobs = 2;
    std::atomic<int> calls = 0;
    f.agent = [&](const Task&, TrialContext& context) {
        if (++calls == 4) f.run->stop(Cause::User, "Ctrl-C");
        if (calls >= 3) {
            context.cancel().sleep_for(10s);
            context.cancel().check();
        }
    };
    RunResult result = f.go();
    CHECK(result.stopped);
    CHECK(result.scored == 2);
    CHECK(result.cancelled == 2);
    CHECK(result.untouched == 2);
    for (const FakeTry& row : f.store->tries())
        CHECK(row.end.accepted == (row.end.attempt_class == AttemptClass::Scored));

    f.agent = nullptr;
    CHECK(f.store->open_slots().size() == 4);
    CHECK(f.go().scored == 4);
    CHECK(f.store->open_slots().empty());
    CHECK(f.store->tries().size() == 8);
}

TEST_CASE("a store that fails stops the run with its error") {
    RunFixture f(plain_tasks(20));
    f.settings.jobs = 4;
    f.store->fail_on_begin = 7;
    CHECK_THROWS_WITH(f.go(), Catch::Contains("no space left"));
    std::size_t accepted = 0;
    for (const FakeTry& row : f.store->tries()) accepted += row.end.accepted ? 1 : 0;
    CHECK(f.store->open_slots().size() == 20 - accepted);
}

TEST_CASE("a stop while a retry waits ends at once") {
    RunFixture f;
    f.settings.retry_wait = 30s;
    f.agent = [](const Task&, TrialContext&) { throw SandboxLost("planted"); };
    Run& run = f.make();
    auto began = std::chrono::steady_clock::now();
    std::jthread stopper([&] {
        while (f.store->tries().empty() || !f.store->tries()[0].finished)
            std::this_thread::sleep_for(1ms);
        run.stop(Cause::User, "");
    });
    RunResult result = run.execute(f.store->open_slots());
    CHECK(std::chrono::steady_clock::now() - began < 20s);
    CHECK(result.in_error == 1);
    CHECK(f.store->tries().size() == 1);
}

TEST_CASE("timed trials are alone among forty others") {
    RunFixture f(plain_tasks(40));
    f.settings.jobs = 8;
    std::atomic<int> running = 0, alone = 0, violations = 0;
    f.agent = [&](const Task&, TrialContext& context) {
        ++running;
        if (alone != 0) ++violations;
        context.cancel().sleep_for(1ms);
        if (alone != 0) ++violations;
        --running;
    };
    f.suite.on_score = [&](const Task&, TrialContext& context) {
        for (int i = 0; i < 2; ++i) {
            auto hold = context.exclusive();
            if (++alone != 1 || running != 0) ++violations;
            context.cancel().sleep_for(1ms);
            if (running != 0) ++violations;
            --alone;
        }
    };
    RunResult result = f.go();
    CHECK(result.scored == 40);
    CHECK(violations == 0);
}

TEST_CASE("a claim of the task is held while it runs") {
    std::vector<Task> tasks = plain_tasks(8);
    for (Task& task : tasks) task.claim.cpus = 2;
    RunFixture f(std::move(tasks));
    f.settings.jobs = 8;
    f.settings.capacity.cpus = 4;
    std::atomic<int> running = 0, most = 0;
    f.agent = [&](const Task&, TrialContext& context) {
        int now = ++running;
        if (now > most) most = now;
        context.cancel().sleep_for(5ms);
        --running;
    };
    CHECK(f.go().scored == 8);
    CHECK(most == 2);
}
