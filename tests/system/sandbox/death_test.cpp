// kill -9 of the process that runs sandboxes: nothing of the run is left after two seconds.
#include "assay/base/text.h"
#include "assay/io/fd_stream.h"
#include "catch.h"
#include "support.h"
#include "traces.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace assay::test {

namespace {

namespace stdfs = std::filesystem;

struct Driver {
    Path scratch = work_folder() / "death";
    std::string run = "death-" + std::to_string(::getpid());
    pid_t pid = -1;
    pid_t janitor = -1;

    Driver() {
        Pipe pipe = make_pipe();
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, pipe.write_end.get(), 1);
        std::string program =
            stdfs::read_symlink("/proc/self/exe").parent_path() / "test_sandbox_driver";
        std::string folder = scratch.string();
        char* argv[] = {program.data(), folder.data(), run.data(), nullptr};
        REQUIRE(::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv, environ) == 0);
        posix_spawn_file_actions_destroy(&actions);
        pipe.write_end.reset();
        char line[32] = {};
        FdStream(std::move(pipe.read_end)).read(line, Cancel());
        janitor = std::atoi(line);
        REQUIRE(janitor > 1);
    }
    void kill_driver() const {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    // Processes whose cgroup or command line names the run. In one pass over /proc.
    std::vector<std::string> processes() const {
        std::vector<std::string> out;
        for (const auto& entry : stdfs::directory_iterator("/proc")) {
            std::string name = entry.path().filename();
            if (name.find_first_not_of("0123456789") != std::string::npos) continue;
            std::stringstream text;
            text << std::ifstream(entry.path() / "cgroup").rdbuf()
                 << std::ifstream(entry.path() / "cmdline").rdbuf();
            if (name != std::to_string(::getpid()) && text.str().find(run) != std::string::npos)
                out.push_back(name);
        }
        return out;
    }
    std::vector<std::string> cgroups() const {
        std::vector<std::string> out;
        std::error_code ec;
        for (stdfs::recursive_directory_iterator
                 it("/sys/fs/cgroup", stdfs::directory_options::skip_permission_denied, ec),
             end;
             it != end && !ec; it.increment(ec))
            if (it->path().filename() == "assay-" + run) out.push_back(it->path());
        return out;
    }
    bool scratch_there() const { return stdfs::exists(scratch / run); }
};

} // namespace

TEST_CASE("kill -9 of the harness leaves no process, cgroup, namespace or file") {
    Driver driver;
    REQUIRE(driver.processes().size() >= 12 + 4 * 2);
    REQUIRE(driver.scratch_there());
    Traces traces;
    traces.look(driver.pid);
    REQUIRE(traces.processes() >= 12 + 4 * 2);
    REQUIRE(traces.namespaces() >= 3 * 2);
    REQUIRE_FALSE(traces.left(driver.scratch / driver.run).empty()); // what is there is seen
    driver.kill_driver();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    CHECK(driver.processes().empty());
    CHECK(driver.cgroups().empty());
    CHECK_FALSE(driver.scratch_there());
    CHECK(traces.left(driver.scratch / driver.run) == std::vector<std::string>{});
}

TEST_CASE("with the janitor killed first, the sandboxes end at once and the next start cleans up") {
    Driver driver;
    ::kill(driver.janitor, SIGKILL);
    driver.kill_driver();
    for (int i = 0; i < 40 && !driver.processes().empty(); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(driver.processes().empty());
    CHECK(driver.scratch_there()); // the attack: nobody is left to remove it
    std::vector<std::string> collected = collect_leftovers(driver.scratch);
    CHECK(std::find(collected.begin(), collected.end(), driver.run) != collected.end());
    CHECK_FALSE(driver.scratch_there());
    CHECK(driver.cgroups().empty());
}

TEST_CASE("a living run is not taken for a leftover") {
    auto environment = host_environment();
    std::vector<std::string> collected = collect_leftovers(options().scratch);
    CHECK(std::find(collected.begin(), collected.end(), backend().run_id()) == collected.end());
    CHECK(sh(environment->main(), "true").ok());
}

TEST_CASE("two hundred live sandboxes each answer, without a thread each") {
    std::vector<std::unique_ptr<Environment>> live;
    auto threads = [] {
        return std::distance(stdfs::directory_iterator("/proc/self/task"),
                             stdfs::directory_iterator());
    };
    auto before = threads();
    for (int i = 0; i < 200; i++) live.push_back(host_environment());
    CHECK(threads() <= before + 2);
    for (std::size_t i = 0; i < live.size(); i++)
        CHECK(sh(live[i]->main(), "echo " + std::to_string(i)).out == std::to_string(i) + "\n");
}

} // namespace assay::test
