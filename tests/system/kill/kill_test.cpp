// kill -9 of assay at random moments of a run in real sandboxes: within 2 s nothing of the run is
// left - counted by the namespaces and cgroups that its processes were seen in, whatever their
// names - and in the end each slot has one accepted try.
#include "assay/base/random.h"
#include "binary.h"
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
        std::puts("skipped: the sandbox backend local does not run here (see `assay doctor`)");
        std::exit(77);
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
    CounterRandom random("kill-9");
    std::size_t namespaces_seen = 0;
    bool made = false;
    for (int round = 0; round < rounds(); ++round) {
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
        child.wait(Cancel());
        namespaces_seen += traces.namespaces();
        auto killed = std::chrono::steady_clock::now();
        std::vector<std::string> left = traces.left(assay.folder());
        while (!left.empty() && std::chrono::steady_clock::now() - killed < 2s) {
            std::this_thread::sleep_for(50ms);
            left = traces.left(assay.folder());
        }
        INFO("round " << round << ": " << (left.empty() ? "" : left.front()));
        CHECK(left.empty());
        made = made || assay({"show", "r.db"}).exit.code == 0;
        if (!made)
            for (const char* file : {"r.db", "r.db-wal", "r.db-shm"})
                RealFileSystem().remove_all(assay.folder() / file);
    }
    CHECK(namespaces_seen > 0); // or the test looked at nothing
    REQUIRE(made);
    assay.write_model(0, "1");
    CommandResult rest = assay({"resume", "r.db", "--jobs", "2", "--state", "state"});
    INFO(rest.err);
    CHECK(rest.exit.code == 0);
    std::map<std::string, int> accepted;
    for (const Json& attempt : assay.attempts("r.db"))
        if (attempt["accepted"].get<bool>()) ++accepted[attempt["task"].get<std::string>()];
    CHECK(accepted.size() == kSlots);
    for (const auto& [task, times] : accepted) CHECK(times == 1);
}
