// The suite in real sandboxes, without the queue and the store: the samples, oracle and no-op.
#include "assay/base/error.h"
#include "assay/io/spawner.h"
#include "assay/sandboxes/local.h"
#include "assay/suites/terminal_bench.h"
#include "catch.h"
#include "fake_trial.h"
#include "harbor_task.h"
#include "sandbox_probe.h"
#include "skip.h"

#include <unistd.h>

using namespace assay;

namespace {

struct Machine {
    Spawner spawner;
    std::unique_ptr<LocalBackend> backend;

    Machine() {
        Path work = Path(ASSAY_BUILD_DIR) / "terminal-bench-tests";
        BaseMakerOptions bases;
        bases.state = work / "state";
        bases.spawner = &spawner;
        LocalOptions options;
        options.scratch = work / "scratch";
        options.state = work / "state";
        options.bases = make_base_maker(std::move(bases));
        backend = make_local_backend(std::move(options));
    }
};

Machine& machine() {
    test::need_sandboxes();
    static Machine instance;
    return instance;
}

// A data set of one task, "t".
class TaskFolder {
  public:
    TaskFolder() {
        for (const char* part : {"environment", "tests"}) files_.make_folders(task() / part);
    }
    void write(const std::string& name, std::string_view text) {
        files_.write(task() / name, text, 0644);
    }
    const Path& path() const { return folder_.path(); }
    Path task() const { return path() / "t"; }

  private:
    TempFolder folder_;
    RealFileSystem files_;
};

class RealTrial final : public test::FakeTrial {
  public:
    explicit RealTrial(const Task& task)
        : environment_(machine().backend->start(task.environment, stop)) {}
    using FakeTrial::new_environment;
    Environment& environment() override { return *environment_; }
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec) override {
        return machine().backend->start(spec, stop);
    }

  private:
    std::unique_ptr<Environment> environment_;
};

ScoreResult run(Suite& suite, const Task& task, bool oracle) {
    RealTrial trial(task);
    suite.prepare(task, trial);
    if (oracle) suite.solve(task, trial);
    ScoreResult result = suite.score(task, trial);
    UNSCOPED_INFO(trial.artifacts["verifier/test-stdout.txt"]);
    UNSCOPED_INFO(trial.artifacts["agent/oracle.txt"]);
    return result;
}

} // namespace

TEST_CASE("the samples: oracle 1, no-op 0, and nobody solves the unsolvable one") {
    auto suite = make_terminal_bench({});
    auto tasks = suite->load({}, {});
    REQUIRE(tasks->refused().empty());
    REQUIRE(tasks->headers().size() == 6);
    for (std::size_t i = 0; i < tasks->headers().size(); ++i) {
        TaskRef task = tasks->open(i);
        INFO(task->header.id);
        double best = task->header.id == "unsolvable" ? 0 : 1;
        ScoreResult solved = run(*suite, *task, true);
        CHECK(solved.primary.value == best);
        CHECK(solved.deviations.empty());
        CHECK(run(*suite, *task, false).primary.value == 0);
    }
}

TEST_CASE("a reward that was written before verification does not count") {
    auto suite = make_terminal_bench({});
    auto tasks = suite->load({}, {.include = {"unsolvable"}, .exclude = {}});
    auto attack = [&](const Task& task) {
        RealTrial trial(task);
        suite->prepare(task, trial);
        ExecResult forged = run_shell(trial.environment().main(),
                                      "mkdir -p /tests /logs/verifier; echo 1 > "
                                      "/logs/verifier/reward.txt; echo '{\"reward\": 1}' > "
                                      "/logs/verifier/reward.json; ln -s / /tests/up",
                                      {}, trial.cancel());
        REQUIRE(forged.ok());
        return suite->score(task, trial);
    };
    TaskRef task = tasks->open(0);
    ScoreResult result = attack(*task);
    CHECK(result.primary.value == 0);
    CHECK(result.details.find("reward_before_verification") != std::string::npos);

    auto weak = dynamic_cast<const terminal_bench::HarborTask&>(*task);
    weak.keep_early_rewards = true;
    CHECK(attack(weak).primary.value == 1);
}

TEST_CASE("a bash of the agent's does not keep the agent's reward") {
    if (::geteuid() != 0) { // /usr belongs to nobody that is mapped
        test::skip("an ordinary user's sandbox cannot change its bash");
        return;
    }
    const std::string old_way = "rm -rf /tests && rm -rf /logs/verifier && mkdir -p /logs/verifier";
    auto suite = make_terminal_bench({});
    TaskRef task = suite->load({}, {.include = {"unsolvable"}, .exclude = {}})->open(0);
    RealTrial trial(*task);
    suite->prepare(*task, trial);
    Sandbox& main = trial.environment().main();
    REQUIRE(run_shell(main,
                      "echo 1 > /logs/verifier/reward.txt; cp /usr/bin/true /x; "
                      "mv /x /usr/bin/bash",
                      {}, trial.cancel())
                .ok());
    REQUIRE(run_shell(main, old_way, {}, trial.cancel()).ok()); // believed, and not done
    REQUIRE(main.get_file("/logs/verifier/reward.txt", 10, trial.cancel()) == "1\n");
    CHECK_THROWS_WITH(suite->score(*task, trial), Catch::Contains("RewardFileNotFoundError"));
    CHECK(trial.sink.has(EventKind::Note, "a reward file was there before verification"));
    CHECK_FALSE(main.get_file("/logs/verifier/reward.txt", 10, trial.cancel()).has_value());
}

TEST_CASE("the agent cannot turn its attempt into one that is tried again") {
    auto suite = make_terminal_bench({});
    TaskRef task = suite->load({}, {.include = {"unsolvable"}, .exclude = {}})->open(0);
    RealTrial trial(*task);
    suite->prepare(*task, trial);
    REQUIRE(run_shell(trial.environment().main(), "rm -rf /logs && touch /logs", {}, trial.cancel())
                .ok());
    try {
        suite->score(*task, trial);
        FAIL("no error");
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Verifier);
    }
}

TEST_CASE("the verifier's files are not there while the agent works") {
    TaskFolder folder;
    folder.write("instruction.md", "find the tests\n");
    folder.write("environment/Dockerfile", "FROM assay/host\n");
    folder.write("tests/test.sh", "echo 0 > /logs/verifier/reward.txt\n");
    folder.write("tests/answer-5d41402a.txt", "42\n");
    folder.write("task.toml", "[environment]\nnetwork_mode = \"no-network\"\n");
    auto suite = make_terminal_bench({});
    TaskRef task = suite->load(folder.path(), {})->open(0);
    RealTrial trial(*task);
    suite->prepare(*task, trial);
    Sandbox& main = trial.environment().main();
    auto look = [&] { // what an agent would run
        return run_shell(main,
                         "ls -d /tests 2>/dev/null; find / -path /proc -prune -o "
                         "-name 'answer-5d41402a*' -print 2>/dev/null",
                         {}, trial.cancel())
            .out;
    };
    CHECK(look().empty());
    main.put_folder(folder.task() / "tests", "/tests", trial.cancel()); // without the guard
    CHECK(look() == "/tests\n/tests/answer-5d41402a.txt\n");
    main.remove("/tests", trial.cancel());
    CHECK(suite->score(*task, trial).primary.value == 0);
    CHECK(look() == "/tests\n/tests/answer-5d41402a.txt\n"); // they come with the verifier
}

TEST_CASE("a separate verifier gets the links of an artifact, not those that leave it") {
    TaskFolder folder;
    folder.write("instruction.md", "make links\n");
    folder.write("environment/Dockerfile", "FROM assay/host\n");
    folder.write("tests/Dockerfile", "FROM assay/host\nCOPY test.sh /tests/\n");
    folder.write("tests/test.sh",
                 "[ \"$(readlink /app/out/near)\" = sub/file ] && [ ! -e /app/out/far ] "
                 "&& cat /app/out/near > /logs/verifier/reward.txt\n");
    folder.write("task.toml",
                 "artifacts = [\"/app/out\"]\n[environment]\nnetwork_mode = \"no-network\"\n"
                 "[verifier]\nenvironment_mode = \"separate\"\n"
                 "[verifier.environment]\nnetwork_mode = \"no-network\"\n");
    auto suite = make_terminal_bench({});
    TaskRef task = suite->load(folder.path(), {})->open(0);
    RealTrial trial(*task);
    suite->prepare(*task, trial);
    REQUIRE(
        run_shell(trial.environment().main(),
                  "mkdir -p /app/out/sub; echo 1 > /app/out/sub/file; cd /app/out; "
                  "ln -s sub/file near; ln -s near/../../../tests/test.sh far; ln -s round round",
                  {}, trial.cancel())
            .ok());
    ScoreResult result = suite->score(*task, trial);
    CHECK(result.primary.value == 1);
    REQUIRE(result.deviations.size() == 1);
    CHECK(result.deviations[0].find("without 1 entries") != std::string::npos);
    CHECK(result.deviations[0].find("far (a link out of the folder)") != std::string::npos);
    REQUIRE(result.inputs.has_value());
    CHECK(result.inputs->contains("/app/out/sub/file"));
    CHECK(result.inputs->contains("/app/out/near"));
    CHECK_FALSE(result.inputs->contains("/app/out/far"));
}
