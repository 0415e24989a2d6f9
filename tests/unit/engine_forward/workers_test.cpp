#include "catch.h"
#include "workers.h"

#include <atomic>
#include <chrono>
#include <thread>

using namespace assay::engine;

TEST_CASE("every task is done once, whatever the number of threads") {
    for (int threads : {1, 2, 5}) {
        Workers workers(threads);
        for (std::int64_t count : {0, 1, 2, 7, 1000}) {
            std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
            for (int round = 0; round < 20; ++round)
                workers.run(count, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; });
            for (const auto& one : done) CHECK(one == 20);
        }
    }
}

TEST_CASE("a thread that is held up holds up its task alone") {
    Workers workers(2);
    std::atomic<int> others = 0;
    workers.run(50, [&](std::int64_t i) {
        if (i != 0) {
            ++others;
            return;
        }
        while (others < 49) std::this_thread::yield(); // hangs if the rest were this thread's
    });
    CHECK(others == 49);
}

TEST_CASE("a thread that comes late finds the next job's tasks or none, and each is done once") {
    Workers workers(3);
    bool good = true;
    for (int job = 0; job < 5000; ++job) {
        const std::int64_t count = 2 + job % 3;
        std::vector<int> done(static_cast<std::size_t>(count)); // gone before the next job begins
        workers.run(count, [&](std::int64_t i) { done[static_cast<std::size_t>(i)] += job; });
        for (int one : done) good = good && one == job;
    }
    CHECK(good);
}
