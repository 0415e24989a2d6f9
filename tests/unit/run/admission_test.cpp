#include "assay/run/admission.h"
#include "catch.h"

#include <atomic>
#include <thread>
#include <vector>

using namespace assay;
using namespace std::chrono_literals;

namespace {

ResourceClaim claim(double cpus, std::uint64_t memory = 0, std::vector<std::string> devices = {}) {
    ResourceClaim out;
    out.cpus = cpus;
    out.memory_bytes = memory;
    out.devices = std::move(devices);
    return out;
}

} // namespace

TEST_CASE("claims never exceed the machine") {
    Admission admission({.cpus = 4, .memory_bytes = 100, .sandboxes = 3});
    std::atomic<int> cpus = 0, memory = 0, trials = 0, most_trials = 0, violations = 0;
    auto work = [&](int kind) {
        for (int i = 0; i < 100; ++i) {
            int wants_cpus = 1 + (kind + i) % 3, wants_memory = 20 * (1 + kind % 3);
            auto ticket = admission.take(claim(wants_cpus, wants_memory), Cancel());
            if (cpus.fetch_add(wants_cpus) + wants_cpus > 4) ++violations;
            if (memory.fetch_add(wants_memory) + wants_memory > 100) ++violations;
            int now = ++trials;
            if (now > 3) ++violations;
            if (now > most_trials) most_trials = now;
            std::this_thread::yield();
            --trials;
            cpus -= wants_cpus;
            memory -= wants_memory;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 6; ++i) threads.emplace_back(work, i);
    }
    CHECK(violations == 0);
    CHECK(most_trials > 1);
}

TEST_CASE("a large claim is passed by small ones, but not for ever") {
    Admission admission({.cpus = 2});
    auto held = std::make_unique<Admission::Ticket>(admission.take(claim(1), Cancel()));
    std::atomic<bool> large = false;
    std::jthread waiting([&] {
        auto ticket = admission.take(claim(2), Cancel());
        large = true;
    });
    std::this_thread::sleep_for(20ms);
    for (int i = 0; i < Admission::kMaxOvertakes; ++i) admission.take(claim(1), Cancel());
    CHECK_FALSE(large);
    Cancel soon = Cancel().child(Cause::Deadline, 20ms, "");
    CHECK_THROWS_AS(admission.take(claim(1), soon), Interrupted); // no more passing
    held.reset();
    waiting.join();
    CHECK(large);
}

TEST_CASE("a claim above the machine runs alone; a device belongs to one") {
    Admission admission({.cpus = 2});
    {
        auto all = admission.take(claim(64), Cancel());
        Cancel soon = Cancel().child(Cause::Deadline, 10ms, "");
        CHECK_THROWS_AS(admission.take(claim(1), soon), Interrupted);
    }
    auto gpu = admission.take(claim(0, 0, {"gpu0"}), Cancel());
    Cancel soon = Cancel().child(Cause::Deadline, 10ms, "");
    CHECK_THROWS_AS(admission.take(claim(0, 0, {"gpu0"}), soon), Interrupted);
    auto other = admission.take(claim(0, 0, {"gpu1"}), Cancel());
}
