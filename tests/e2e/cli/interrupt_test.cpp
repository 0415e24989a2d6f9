// Ctrl-C, and death at any moment.
#include "assay/base/random.h"
#include "binary.h"

#include <csignal>
#include <map>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> slow_run(const std::string& out, const char* jobs) {
    return {"run",   "example", "--tasks",           "sums.txt", "--sandbox", "null",  "--agent",
            "tools", "--model", "script:model.json", "--jobs",   jobs,        "--out", out};
}

std::size_t ended(Binary& assay, const std::string& file) {
    CommandResult result = assay({"show", file, "--json"});
    if (result.exit.code != 0) return 0; // not made yet
    return Json::parse(result.out)["attempts"].size();
}

bool wait_for(Binary& assay, const std::string& file, std::size_t attempts) {
    for (int i = 0; i < 200; ++i) {
        if (ended(assay, file) >= attempts) return true;
        std::this_thread::sleep_for(50ms);
    }
    return false;
}

void check_complete(Binary& assay, const std::string& file, std::size_t slots) {
    std::map<std::string, int> accepted;
    for (const Json& attempt : assay.attempts(file)) {
        CHECK(attempt["class"] == "scored");
        if (attempt["accepted"].get<bool>()) ++accepted[attempt["task"].get<std::string>()];
    }
    CHECK(accepted.size() == slots);
    for (const auto& [task, times] : accepted) CHECK(times == 1);
}

} // namespace

TEST_CASE("Ctrl-C once finishes what runs, and a resume runs the rest") {
    Binary assay;
    assay.write_sums(30);
    assay.write_model(0.3);
    ChildProcess child = assay.start(slow_run("r.db", "2"));
    REQUIRE(wait_for(assay, "r.db", 2));
    child.signal(SIGINT);
    CHECK(child.wait(Cancel()).code == 130);
    Json show = assay.show("r.db");
    CHECK(show["run"]["status"] == "stopped");
    CHECK(show["attempts"].size() >= 2);
    CHECK(show["attempts"].size() < 30);
    for (const Json& attempt : show["attempts"]) CHECK(attempt["class"] == "scored");
    assay.write_model(0);
    CHECK(assay({"resume", "r.db"}).exit.code == 0);
    check_complete(assay, "r.db", 30);
}

TEST_CASE("Ctrl-C twice breaks off, and what was broken off is run again") {
    Binary assay;
    assay.write_sums(6);
    Json script = {{"rules", Json::array({{{"task", "sum-0-1"}, {"say", "1"}},
                                          {{"task", "*"}, {"say", "1"}, {"delay", 600}}})}};
    assay.write("model.json", script.dump());
    ChildProcess child = assay.start(slow_run("r.db", "2"));
    REQUIRE(wait_for(assay, "r.db", 1));
    auto began = std::chrono::steady_clock::now();
    child.signal(SIGINT);
    std::this_thread::sleep_for(500ms);
    CHECK_FALSE(child.ended()); // it waits for those that run
    child.signal(SIGINT);
    CHECK(child.wait(Cancel()).code == 130);
    CHECK(std::chrono::steady_clock::now() - began < 60s);
    int cancelled = 0;
    for (const Json& attempt : assay.attempts("r.db")) {
        if (attempt["class"] != "cancelled") continue;
        ++cancelled;
        CHECK(attempt["score"].is_null());
        CHECK_FALSE(attempt["accepted"].get<bool>());
    }
    CHECK(cancelled >= 1);
    assay.write_model(0);
    CHECK(assay({"resume", "r.db"}).exit.code == 0);
    check_complete(assay, "r.db", 6);
}

TEST_CASE("kill -9 at any moment loses no scored attempt and repeats none") {
    Binary assay;
    constexpr std::size_t kSlots = 40;
    assay.write_sums(kSlots);
    assay.write_model(0.1);
    CounterRandom random("kill");
    std::map<std::string, double> kept; // task -> seconds of its accepted try
    bool made = false;
    auto begin_anew = [&] {
        made = false;
        kept.clear();
        for (const char* file : {"r.db", "r.db-wal", "r.db-shm"})
            RealFileSystem().remove_all(assay.folder() / file);
    };
    for (int kills = 0; kills < 12;) {
        ChildProcess child = made ? assay.start({"resume", "r.db", "--jobs", "4"})
                                  : assay.start(slow_run("r.db", "4"));
        std::this_thread::sleep_for(
            std::chrono::milliseconds(50 + static_cast<int>(random.below(500))));
        child.signal_group(SIGKILL);
        ChildExit end = child.wait(Cancel());
        if (end.signal != SIGKILL) { // all was done: no kill of a run
            REQUIRE(end.ok());
            check_complete(assay, "r.db", kSlots);
            begin_anew();
            continue;
        }
        ++kills;
        CommandResult show = assay({"show", "r.db", "--json"});
        if (show.exit.code != 0) {
            // Killed before the plan was committed: there is no run yet, and nothing is lost.
            REQUIRE(kept.empty());
            begin_anew();
            continue;
        }
        made = true;
        std::map<std::string, double> now;
        const Json attempts = Json::parse(show.out)["attempts"];
        for (const Json& attempt : attempts)
            if (attempt["accepted"].get<bool>())
                now[attempt["task"]] = attempt["seconds"]["wall"].get<double>();
        for (const auto& [task, seconds] : kept) {
            REQUIRE(now.contains(task));
            CHECK(now[task] == seconds); // the same try, not another one
        }
        kept = now;
    }
    if (!made) REQUIRE(assay(slow_run("r.db", "4")).exit.code == 0);
    CommandResult rest = assay({"resume", "r.db", "--jobs", "4"});
    INFO(rest.err);
    CHECK(rest.exit.code == 0);
    check_complete(assay, "r.db", kSlots);
}
