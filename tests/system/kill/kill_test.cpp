// kill -9 of assay at random moments of a run in real sandboxes: within 2 s nothing of the run is
// left - counted by the namespaces and cgroups that its processes were seen in, whatever their
// names - and in the end each slot has one accepted try.
#include "assay/base/random.h"
#include "binary.h"
#include "skip.h"
#include "traces.h"

#include <csignal>
#include <cstdlib>
#include <map>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

int rounds() {
    const char* text = std::getenv("ASSAY_KILL_ROUNDS");
    return text != nullptr ? std::atoi(text) : 6;
}

} // namespace

TEST_CASE("kill -9 leaves nothing behind, and a resume completes the run") {
    Binary assay;
    if (assay({"doctor", "--state", "state"}).exit.code != 0) {
        skip_program("the sandbox backend local does not run here (see `assay doctor`)");
    }
    constexpr std::size_t kSlots = 40;
    assay.write_sums(kSlots);
    // A command that leaves processes behind, one of them in a session of its own.
    Json script = {
        {"rules",
         Json::array({{{"turn", 0},
                       {"calls", Json::array({{{"name", "shell"},
                                               {"arguments",
                                                {{"command", "sleep 1000 & setsid sleep 1000 & "
                                                             "sleep 0.3"}}}}})}},
                      {{"say", "1"}}})}};
    assay.write("model.json", script.dump());
    auto complete = [&] {
        std::map<std::string, int> accepted;
        for (const Json& attempt : assay.attempts("r.db"))
            if (attempt["accepted"].get<bool>()) ++accepted[attempt["task"].get<std::string>()];
        CHECK(accepted.size() == kSlots);
        for (const auto& [task, times] : accepted) CHECK(times == 1);
    };
    bool made = false;
    auto begin_anew = [&] {
        made = false;
        for (const char* file : {"r.db", "r.db-wal", "r.db-shm"})
            RealFileSystem().remove_all(assay.folder() / file);
    };
    CounterRandom random("kill-9");
    std::size_t namespaces_seen = 0;
    int kills = 0;
    while (kills < rounds()) {
        ChildProcess child =
            made ? assay.start({"resume", "r.db", "--jobs", "2", "--state", "state"})
                 : assay.start({"run", "example", "--tasks", "sums.txt", "--agent", "tools",
                                "--model", "script:model.json", "--sandbox", "local", "--jobs", "2",
                                "--state", "state", "--out", "r.db"});
        Traces traces;
        auto until = std::chrono::steady_clock::now() +
                     std::chrono::milliseconds(100 + static_cast<int>(random.below(2500)));
        while (std::chrono::steady_clock::now() < until && !child.ended()) {
            traces.look(child.pid());
            std::this_thread::sleep_for(15ms);
        }
        child.signal(SIGKILL);
        ChildExit end = child.wait(Cancel());
        if (end.signal != SIGKILL) { // all was done: no kill of a run
            REQUIRE(end.ok());
            complete();
            begin_anew();
            continue;
        }
        ++kills;
        namespaces_seen += traces.namespaces();
        auto killed = std::chrono::steady_clock::now();
        std::vector<std::string> left = traces.left(assay.folder());
        while (!left.empty() && std::chrono::steady_clock::now() - killed < 2s) {
            std::this_thread::sleep_for(50ms);
            left = traces.left(assay.folder());
        }
        INFO("kill " << kills << ": " << (left.empty() ? "" : left.front()));
        CHECK(left.empty());
        made = made || assay({"show", "r.db"}).exit.code == 0;
        if (!made) begin_anew();
    }
    CHECK(namespaces_seen > 0); // or the test looked at nothing
    REQUIRE(made);
    assay.write_model(0, "1");
    CommandResult rest = assay({"resume", "r.db", "--jobs", "2", "--state", "state"});
    INFO(rest.err);
    CHECK(rest.exit.code == 0);
    complete();
}

TEST_CASE("with the janitor killed too, the next start cleans up") {
    Binary assay;
    if (assay({"doctor", "--state", "state"}).exit.code != 0) {
        skip_program("the sandbox backend local does not run here (see `assay doctor`)");
    }
    assay.write_sums(4);
    Json call = {{"name", "shell"}, {"arguments", {{"command", "setsid sleep 1000 & sleep 600"}}}};
    Json script = {
        {"rules", Json::array({{{"turn", 0}, {"calls", Json::array({call})}}, {{"say", "1"}}})}};
    assay.write("model.json", script.dump());
    ChildProcess child = assay.start({"run", "example", "--tasks", "sums.txt", "--agent", "tools",
                                      "--model", "script:model.json", "--sandbox", "local",
                                      "--jobs", "2", "--state", "state", "--out", "r.db"});
    Traces traces;
    auto until = std::chrono::steady_clock::now() + 20s;
    while (traces.named("sleep").size() < 4 && std::chrono::steady_clock::now() < until) {
        traces.look(child.pid());
        std::this_thread::sleep_for(20ms);
    }
    std::vector<int> janitors = traces.named("assay-launch");
    REQUIRE(traces.named("sleep").size() >= 4);
    REQUIRE_FALSE(janitors.empty()); // children of it that are about to start a sandbox, too
    for (int pid : janitors) ::kill(pid, SIGKILL);
    child.signal(SIGKILL);
    child.wait(Cancel());
    std::this_thread::sleep_for(2s);
    auto scratch = [&] { return RealFileSystem().list(assay.folder() / "state" / "scratch"); };
    CHECK_FALSE(scratch().empty()); // nobody was there to remove it
    assay.write_model(0, "1");
    CHECK(assay({"resume", "r.db", "--jobs", "2", "--state", "state"}).exit.code == 0);
    std::vector<std::string> left = traces.left(assay.folder());
    CHECK(scratch().empty());
    INFO((left.empty() ? "" : left.front()));
    CHECK(left.empty());
}
