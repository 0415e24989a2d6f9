// assay shell: a person at the place of the agent. It is a trial as any other - the suite prepares
// the environment, the agent is a relay between this terminal and a pty inside - but nothing is
// scored and the run is thrown away.
#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"
#include "assay/run/plan.h"
#include "assay/run/run.h"
#include "commands.h"
#include "live_run.h"
#include "registry.h"
#include "terminal_relay.h"

#include <unistd.h>

#include <cstdio>

namespace assay {

namespace {

class ShellAgent final : public Agent {
  public:
    ShellAgent(std::vector<std::string> command, int& exit_code)
        : command_(std::move(command))
        , exit_code_(exit_code) {}
    const AgentInfo& info() const override { return info_; }
    void run(const Task& task, TrialContext& context) override {
        Sandbox& sandbox = context.environment().main();
        if (!command_.empty()) return run_command(sandbox, context.cancel());
        std::fprintf(stderr, "%s: leave with exit or Ctrl-D\n", task.header.id.c_str());
        exit_code_ = relay_terminal(sandbox, context.cancel());
    }

  private:
    void run_command(Sandbox& sandbox, const Cancel& cancel) {
        ExecResult result = sandbox.exec({"sh", "-c", command_.front()}, {}, cancel);
        std::fputs(result.out.c_str(), stdout);
        std::fputs(result.err.c_str(), stderr);
        exit_code_ = result.status.signal != 0 ? 128 + result.status.signal : result.status.code;
    }

    AgentInfo info_{"shell", "1", "a person at a terminal", false};
    std::vector<std::string> command_;
    int& exit_code_;
};

class UnscoredSuite final : public Suite { // prepares as the real one, scores nothing
  public:
    explicit UnscoredSuite(Suite& inner)
        : inner_(inner) {}
    const SuiteInfo& info() const override { return inner_.info(); }
    std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) override {
        return inner_.load(source, filter);
    }
    std::unique_ptr<ToolSet> tools(const Task& task, TrialContext& context) override {
        return inner_.tools(task, context);
    }
    void prepare(const Task& task, TrialContext& context) override {
        inner_.prepare(task, context);
    }
    ScoreResult score(const Task&, TrialContext&) override {
        return {{"none", 0}, {}, {}, {}, "{}"};
    }

  private:
    Suite& inner_;
};

class Watcher final : public SilentObserver {
  public:
    void phase_began(const SlotRecord&, std::string_view phase) override {
        if (phase == "environment_start") std::fputs("starting the environment\n", stderr);
    }
    void trial_ended(const SlotRecord&, int, const TryEnd& end, bool) override {
        error = end.error;
    }
    std::optional<ErrorRecord> error;
};

struct Found {
    std::unique_ptr<Suite> suite;
    std::unique_ptr<TaskSet> tasks;
};

Found find_task(const Arguments& arguments, const Settings& settings) {
    TaskFilter filter{{arguments.task}, {}};
    std::string tried;
    if (!arguments.run.suite.empty()) find_suite(arguments.run.suite); // or says which there are
    for (const SuiteEntry& entry : suite_registry()) {
        if (!arguments.run.suite.empty() && entry.name != arguments.run.suite) continue;
        tried += (tried.empty() ? "" : "; ") + entry.name;
        try {
            Found found{make_suite(entry, settings), nullptr};
            found.tasks = found.suite->load(arguments.run.tasks, filter);
            if (!found.tasks->headers().empty()) return found;
            for (const auto& [task, why] : found.tasks->refused())
                if (task == arguments.task)
                    throw Error(ErrorKind::Unsupported, "the task " + task + ": " + why);
        } catch (const Error& e) {
            if (!arguments.run.suite.empty() || e.kind() == ErrorKind::Unsupported) throw;
            tried += " (" + e.message() + ")";
        }
    }
    throw Error(ErrorKind::Usage, "no suite has a task '" + arguments.task + "' there")
        .hint("looked as " + tried +
              "; name the suite with --suite, and the place of its tasks with --tasks");
}

} // namespace

int command_shell(const Arguments& arguments) {
    Settings settings = parse_settings(arguments.run.suite_settings, "--set");
    Found found = find_task(arguments, settings);
    UnscoredSuite suite(*found.suite);
    TaskSet& tasks = *found.tasks;

    SandboxSettings sandbox = sandbox_settings(arguments.run.state);
    sandbox.base = arguments.run.base;
    if (!arguments.run.image_map.empty())
        sandbox.image_map = RealFileSystem().read(arguments.run.image_map, 1 << 20);
    sandbox.image_map_file = arguments.run.image_map;
    SystemRandom random;
    auto backend = find_sandbox(arguments.run.sandbox).make(sandbox);

    int exit_code = 0;
    PlanRequest request;
    request.run = Id::random(random);
    request.arms.resize(1);
    request.arms[0].agent = "shell";
    PlanRecord plan = make_plan(suite.info(), tasks, std::move(request));
    plan.slots.resize(1);
    TempFolder folder("assay-shell");
    StoreOptions options;
    options.durable = false;
    auto store = RunStore::create(folder.path() / "shell.db", plan, options);

    SystemClock clock;
    Watcher watcher;
    RunParts parts;
    parts.suite = &suite;
    parts.tasks = &tasks;
    parts.sandboxes = backend.get();
    parts.store = store.get();
    parts.clock = &clock;
    parts.observer = &watcher;
    Arm arm;
    arm.record = plan.arms[0];
    arm.make_agent = [&] {
        return std::make_unique<ShellAgent>(arguments.shell_command, exit_code);
    };
    parts.arms = {arm};
    RunSettings run_settings;
    run_settings.jobs = 1;
    run_settings.retries = 0;
    run_settings.timeout_multiplier = 1e9; // a person has all the time
    run_settings.capacity.cpus = 1e9;
    Run run(std::move(parts), run_settings);
    run.execute(plan.slots);
    if (watcher.error)
        throw Error(ErrorKind::Sandbox, watcher.error->kind + ": " + watcher.error->message)
            .hint(watcher.error->trace);
    return exit_code;
}

} // namespace assay
