#include "assay/run/gate.h"
#include "catch.h"

#include <atomic>
#include <random>
#include <thread>
#include <vector>

using namespace assay;
using namespace std::chrono_literals;

TEST_CASE("an exclusive claim is alone, and everybody gets there") {
    PhaseGate gate;
    std::atomic<int> inside = 0, alone = 0, violations = 0, phases = 0, claims = 0;
    auto trial = [&](unsigned seed) {
        std::minstd_rand random(seed);
        Cancel cancel;
        for (int i = 0; i < 200; ++i) {
            PhaseGate::Share share = gate.enter(cancel);
            ++inside;
            if (alone != 0) ++violations;
            ++phases;
            if (random() % 4 == 0) {
                --inside;
                share.make_exclusive(cancel);
                if (++alone != 1 || inside != 0) ++violations;
                std::this_thread::yield();
                if (inside != 0) ++violations;
                --alone;
                ++inside; // before the others can come in
                share.make_shared();
                ++claims;
            }
            --inside;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 1; i <= 8; ++i) threads.emplace_back(trial, i);
    }
    CHECK(violations == 0);
    CHECK(phases == 1600);
    CHECK(claims > 100);
}

TEST_CASE("two claims at once do not wait for each other") {
    PhaseGate gate;
    Cancel cancel;
    std::atomic<int> done = 0;
    auto claim = [&] {
        PhaseGate::Share share = gate.enter(cancel);
        std::this_thread::sleep_for(5ms); // so that both hold a share
        share.make_exclusive(cancel);
        ++done;
    };
    {
        std::jthread a(claim), b(claim);
    }
    CHECK(done == 2);
}

TEST_CASE("a new phase waits behind a pending claim") {
    PhaseGate gate;
    Cancel cancel;
    PhaseGate::Share running = gate.enter(cancel);
    std::atomic<int> order = 0;
    int claim_at = 0, phase_at = 0;
    std::jthread claim([&] {
        PhaseGate::Share share = gate.enter(cancel);
        share.make_exclusive(cancel);
        claim_at = ++order;
    });
    std::this_thread::sleep_for(30ms);
    std::jthread phase([&] {
        PhaseGate::Share share = gate.enter(cancel);
        phase_at = ++order;
    });
    std::this_thread::sleep_for(30ms);
    CHECK(order == 0); // one waits for `running`, the other behind it
    running = {};
    claim.join();
    phase.join();
    CHECK(claim_at == 1);
    CHECK(phase_at == 2);
}

TEST_CASE("a cancelled claim lets the others go on") {
    PhaseGate gate;
    Cancel cancel, mine;
    PhaseGate::Share running = gate.enter(cancel);
    std::jthread claim([&] {
        PhaseGate::Share share = gate.enter(cancel);
        CHECK_THROWS_AS(share.make_exclusive(mine), Interrupted);
    });
    std::this_thread::sleep_for(20ms);
    std::atomic<bool> entered = false;
    std::jthread phase([&] {
        PhaseGate::Share share = gate.enter(cancel);
        entered = true;
    });
    std::this_thread::sleep_for(20ms);
    CHECK_FALSE(entered);
    mine.cancel(Cause::User);
    claim.join();
    phase.join();
    CHECK(entered);
    PhaseGate::Share late = gate.enter(cancel);
    Cancel deadline = Cancel().child(Cause::Deadline, 10ms, "");
    CHECK_THROWS_AS(late.make_exclusive(deadline), Interrupted); // `running` is still there
}
