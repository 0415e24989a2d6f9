// The suite in real sandboxes: prepare, oracle, no answer, starter, an answer that does not
// compile, and an attack that looks for the judge's files from inside of the sandbox.
#include "assay/suites/kernel_bench.h"
#include "catch.h"
#include "fake_trial.h"
#include "support.h"
#include "task.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace assay;
using namespace assay::test;

namespace {

// A trial whose environments are real; the rest is FakeTrial's.
class SandboxTrial final : public TrialContext {
  public:
    explicit SandboxTrial(std::unique_ptr<Environment> environment)
        : environment_(std::move(environment)) {}
    Environment& environment() override { return *environment_; }
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec) override {
        return backend().start(spec, fake.stop);
    }
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec,
                                                 std::shared_ptr<Checkpoint> from) override {
        return backend().start_from(spec, std::move(from), fake.stop);
    }
    Model& model(std::string_view role) override { return fake.model(role); }
    bool has_model(std::string_view role) const override { return fake.has_model(role); }
    ToolSet& tools() override { return fake.tools(); }
    Suite& suite() override { return fake.suite(); }
    EventSink& events() override { return fake.sink; }
    BlobStore& blobs() override { return fake.memory; }
    const Cancel& cancel() const override { return fake.stop; }
    const Clock& clock() const override { return fake.time; }
    int attempt() const override { return 1; }
    SeedKey seed_key(std::string_view role) override { return fake.seed_key(role); }
    Random& secret_random() override { return random_; }
    const std::map<std::string, std::string>& agent_settings() const override {
        return fake.settings;
    }
    void submit(std::string text) override { fake.submit(std::move(text)); }
    const std::string& submission() const override { return fake.submission(); }
    void artifact(std::string_view path, std::string_view bytes, std::string_view type) override {
        fake.artifact(path, bytes, type);
    }
    void measure(const Measurement& measurement) override { fake.measure(measurement); }
    std::unique_ptr<ExclusiveHold> exclusive() override { return fake.exclusive(); }

    FakeTrial fake;

  private:
    std::unique_ptr<Environment> environment_;
    SystemRandom random_;
};

struct Scored {
    ScoreResult score;
    std::vector<Measurement> measurements;
    bool committed = false; // the seed's hash was recorded
    bool background = true; // what the agent left running still does
};

// `answer` empty: the oracle; "none": no file.
Scored run(Suite& suite, const TaskRef& task, const std::string& answer) {
    SandboxTrial trial(backend().start(task->environment, Cancel()));
    suite.prepare(*task, trial);
    Sandbox& box = trial.environment().main();
    REQUIRE(sh(box, "pwd").out == "/app\n"); // a shell begins where the answer belongs
    if (answer.empty())
        suite.solve(*task, trial);
    else if (answer != "none")
        box.put_file("/app/solution.cpp", answer, 0644, Cancel());
    std::string left = sh(box, "sleep 600 >/dev/null 2>&1 & echo $!").out;
    if (as_root()) {
        REQUIRE(sh(box, "cp /usr/bin/true /x; mv /x /usr/bin/bash").ok());
        REQUIRE(sh(box, "kill -9 -1").ok()); // believed, and not done
    }
    REQUIRE(box.exec({"kill", "-0", left.substr(0, left.size() - 1)}, {}, Cancel()).ok());
    Scored scored;
    scored.score = suite.score(*task, trial);
    scored.background =
        box.exec({"kill", "-0", left.substr(0, left.size() - 1)}, {}, Cancel()).ok();
    scored.measurements = trial.fake.measurements;
    scored.committed = trial.fake.sink.has(EventKind::Note, "seed commitment");
    return scored;
}

double metric(const ScoreResult& score, const std::string& name) {
    for (const Metric& m : score.others)
        if (m.name == name) return m.value;
    return -1;
}

int parent_of(int pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("PPid:")) return std::atoi(line.c_str() + 5);
    return 0;
}

// Pid 1 of a sandbox of this program in which a runner is at work, or 0.
int init_beside_runner() {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        int pid = std::atoi(entry.path().filename().c_str());
        std::string name;
        std::getline(std::ifstream(entry.path() / "comm"), name);
        if (pid == 0 || name != "runner") continue;
        int init = parent_of(pid);
        for (int up = init; up > 1; up = parent_of(up))
            if (up == backend().janitor_pid()) return init;
    }
    return 0;
}

} // namespace

TEST_CASE("kernel_bench: a sandbox that dies while the answer runs is no verifier error") {
    auto suite = make_kernel_bench({});
    TaskRef task = suite->load({}, {.include = {"gemm_f32"}, .exclude = {}})->open(0);
    std::jthread killer([](const std::stop_token& stop) {
        int init = 0;
        while (!stop.stop_requested() && (init = init_beside_runner()) == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        std::this_thread::sleep_for(std::chrono::milliseconds(200)); // it has begun its work
        if (init != 0) ::kill(init, SIGKILL);
    });
    const char* endless =
        "#include \"kernel_task.h\"\nextern \"C\" int solve(const kt_tensor*, int, "
        "kt_tensor*, int, const kt_params*, void*) { for (;;) {} }\n";
    CHECK_THROWS_AS(run(*suite, task, endless), SandboxLost);
}

TEST_CASE("kernel_bench in sandboxes") {
    auto suite = make_kernel_bench({{"seconds_per_case", "0.5"}});
    TaskFilter filter;
    filter.include = {"gemm_f32"};
    TaskRef task = suite->load({}, filter)->open(0);

    Scored oracle = run(*suite, task, "");
    INFO(oracle.score.explanation << "\n" << oracle.score.details);
    CHECK(metric(oracle.score, "fast_0") == 1);
    CHECK(metric(oracle.score, "speedup") > 0);
    CHECK(oracle.committed);
    CHECK_FALSE(oracle.background);
    REQUIRE(oracle.measurements.size() == 4);
    CHECK(oracle.measurements[0].samples.size() >= 20);

    Scored none = run(*suite, task, "none");
    CHECK(none.score.primary.value == 0);
    CHECK(none.background); // nothing is timed
    CHECK(none.score.inputs == std::map<std::string, Digest>());
    CHECK(none.score.explanation.find("there is no /app/solution.cpp") != std::string::npos);

    Scored broken = run(*suite, task, "int main( {");
    CHECK(broken.score.primary.value == 0);
    CHECK(broken.score.inputs ==
          std::map<std::string, Digest>{{"solution.cpp", sha256("int main( {")}});
    CHECK(broken.score.explanation.find("does not compile") != std::string::npos);

    const auto& kernel = dynamic_cast<const kernel_bench::KernelTask&>(*task);
    Scored starter = run(*suite, task, kernel.starter);
    INFO(starter.score.explanation);
    CHECK(metric(starter.score, "fast_0") == 1);
    CHECK(starter.score.primary.value == 0);
}

TEST_CASE("kernel_bench: the compiler's sandbox holds no file of the judge") {
    auto suite = make_kernel_bench({});
    TaskFilter filter;
    filter.include = {"gemm_f32"};
    TaskRef task = suite->load({}, filter)->open(0);
    // The preprocessor can read what its sandbox shows: if the reference were there, this compiled.
    std::string guess;
    for (const char* path : {"../build1/source.cpp", "../build2/source.cpp", "../build3/source.cpp",
                             "/kernel/build2/source.cpp", "/app/task/README.md"})
        guess += std::string("#if __has_include(\"") + path + "\")\n#define FOUND 1\n#endif\n";
    Scored scored = run(*suite, task, guess + "#ifndef FOUND\n#error nothing found\n#endif\n");
    CHECK(scored.score.explanation.find("nothing found") != std::string::npos);
}

TEST_CASE("kernel_bench: the agent's files compile as the script says") {
    auto suite = make_kernel_bench({});
    auto tasks = suite->load({}, {});
    for (std::size_t i = 0; i < tasks->headers().size(); ++i) {
        TaskRef task = tasks->open(i);
        SandboxTrial trial(backend().start(task->environment, Cancel()));
        suite->prepare(*task, trial);
        ExecResult made = sh(trial.environment().main(),
                             "cp /app/task/starter/solution.cpp /app/ && /app/task/build.sh");
        INFO(made.out << made.err);
        CHECK(made.ok());
    }
}
