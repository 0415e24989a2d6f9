// kill -9 of assay at random moments of a run in real sandboxes: within 2 s nothing of the run is
// left - counted by the namespaces and cgroups that its processes were seen in, whatever their
// names - and in the end each slot has one accepted try.
#include "assay/base/random.h"
#include "assay/base/text.h"
#include "binary.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::string slurp(const Path& file) {
    try {
        return RealFileSystem().read(file, 1 << 22);
    } catch (const std::exception&) {
        return ""; // the process has gone
    }
}

std::vector<int> all_processes() {
    std::vector<int> out;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator("/proc", ec)) {
        std::string name = entry.path().filename();
        if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
            out.push_back(std::stoi(name));
    }
    return out;
}

int parent_of(int pid) {
    std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
    std::size_t end = stat.rfind(')');
    int parent = 0;
    if (end != std::string::npos) std::sscanf(stat.c_str() + end, ") %*c %d", &parent);
    return parent;
}

std::set<std::string> namespaces_of(int pid) {
    std::set<std::string> out;
    for (const char* kind : {"mnt", "net", "pid", "user", "ipc", "uts"}) {
        std::error_code ec;
        auto link = fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + kind, ec);
        if (!ec) out.insert(link.string());
    }
    return out;
}

std::set<std::string> cgroups_of(int pid) {
    std::set<std::string> out;
    std::string text = slurp("/proc/" + std::to_string(pid) + "/cgroup");
    for (std::string_view line : split_lines(text)) {
        auto parts = split(line, ':');
        if (parts.size() == 3 && parts[2] != "/") out.insert(std::string(parts[2]));
    }
    return out;
}

// What the processes below `root` live in and we do not.
struct Traces {
    std::set<int> pids;
    std::set<std::string> namespaces, cgroups;

    void look(int root) {
        std::map<int, int> parents;
        for (int pid : all_processes()) parents[pid] = parent_of(pid);
        auto mine_spaces = namespaces_of(::getpid());
        auto mine_cgroups = cgroups_of(::getpid());
        for (const auto& [pid, parent] : parents) {
            int at = pid;
            while (at > 1 && at != root && !pids.contains(at)) at = parents[at];
            if (at <= 1) continue;
            pids.insert(pid);
            for (const std::string& space : namespaces_of(pid))
                if (!mine_spaces.contains(space)) namespaces.insert(space);
            for (const std::string& group : cgroups_of(pid))
                if (!mine_cgroups.contains(group)) cgroups.insert(group);
        }
    }

    std::vector<std::string> left(const Path& state) const {
        std::vector<std::string> out;
        for (int pid : all_processes()) {
            for (const std::string& space : namespaces_of(pid))
                if (namespaces.contains(space))
                    out.push_back("process " + std::to_string(pid) + " in " + space + ": " +
                                  slurp("/proc/" + std::to_string(pid) + "/comm"));
        }
        std::error_code ec;
        for (const std::string& group : cgroups)
            for (const auto& root : fs::directory_iterator("/sys/fs/cgroup", ec)) {
                if (fs::exists(root.path().string() + group)) out.push_back("cgroup " + group);
            }
        for (const std::string& group : cgroups)
            if (fs::exists("/sys/fs/cgroup" + group)) out.push_back("cgroup " + group);
        std::string mounts = slurp("/proc/self/mountinfo");
        for (std::string_view line : split_lines(mounts))
            if (line.find(state.string()) != std::string_view::npos)
                out.push_back("mount " + std::string(line));
        return out;
    }
};

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
        namespaces_seen += traces.namespaces.size();
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
