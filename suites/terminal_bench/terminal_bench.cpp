#include "assay/suites/terminal_bench.h"

#include "artifacts.h"
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/suites/folder.h"
#include "harbor_task.h"
#include "verifier.h"

#include <fmt/format.h>

#include <cstdlib>

namespace assay {

using namespace terminal_bench;

namespace {

std::optional<std::string> host_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
}

void run_as_root(Sandbox& sandbox, const std::string& command, const Cancel& cancel) {
    ExecOptions options;
    options.user = "root";
    options.cwd = "/";
    options.merge_stderr = true;
    ExecResult result = run_shell(sandbox, command, options, cancel);
    if (!result.ok())
        throw Error(ErrorKind::Sandbox,
                    command + ": " + result.status.text() + ": " + utf8_clean(result.out));
}

// Docker's rules: failures within the start period do not count.
void wait_until_healthy(const Healthcheck& check, TrialContext& context) {
    MonoTime begin = context.clock().now();
    int failures = 0;
    for (;;) {
        ExecOptions options;
        options.timeout = bounded_seconds(check.timeout);
        options.merge_stderr = true;
        ExecResult result = recorded_exec(context.environment().main(),
                                          {"bash", "-c", check.command}, options, context);
        if (result.ok()) return;
        bool starting = context.clock().now() - begin < bounded_seconds(check.start_period);
        if (!starting && ++failures >= check.retries)
            throw Error(ErrorKind::Sandbox,
                        fmt::format("HealthcheckError: {} failures of '{}': {}", failures,
                                    utf8_clean(check.command), utf8_clean(result.out)));
        const Cancel& cancel = context.cancel();
        if (!cancel.sleep_for(bounded_seconds(starting ? check.start_interval : check.interval)))
            cancel.check();
    }
}

class TerminalBench final : public Suite {
  public:
    explicit TerminalBench(VerifierMode mode)
        : mode_(mode) {}

    const SuiteInfo& info() const override {
        static const SuiteInfo info = {
            "terminal_bench",
            "1",
            "Terminal-Bench 2.x and other Harbor task folders, unmodified",
            {{"reward", "what the task's test wrote; 0 or 1 in Terminal-Bench", true, true, true}},
            false,
            {{"verifier", "official, or compat where tests need a network; as --verifier"}}};
        return info;
    }

    std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) override {
        Path samples = suite_folder(ASSAY_SUITE_FOLDER) / "samples";
        return load_tasks(source.empty() ? samples : source, filter, {.host = host_variable});
    }

    void prepare(const Task& task, TrialContext& context) override {
        const auto& harbor = static_cast<const HarborTask&>(task);
        Sandbox& main = context.environment().main();
        run_as_root(main,
                    "mkdir -p /logs/agent /logs/verifier /logs/artifacts && "
                    "chmod 0777 /logs/agent /logs/verifier /logs/artifacts",
                    context.cancel());
        if (harbor.prebuilt) put_environment_folder(harbor, main, context);
        if (harbor.toml.environment.healthcheck)
            wait_until_healthy(*harbor.toml.environment.healthcheck, context);
        if (harbor.toml.agent.network.mode)
            main.set_network(network_policy(harbor.toml.agent.network), context.cancel());
    }

    void solve(const Task& task, TrialContext& context) override {
        const auto& harbor = static_cast<const HarborTask&>(task);
        if (!RealFileSystem().exists(harbor.solution() / "solve.sh"))
            throw Error(ErrorKind::Unsupported, harbor.header.id + ": no solution/solve.sh");
        Sandbox& main = context.environment().main();
        main.put_folder(harbor.solution(), "/solution", context.cancel());
        run_as_root(main, "chmod +x /solution/solve.sh", context.cancel());
        ExecOptions options;
        options.environment = harbor.solution_env;
        options.environment.try_emplace("DEBIAN_FRONTEND", "noninteractive");
        ExecResult result = recorded_exec(
            main, {"bash", "-c", "(/solution/solve.sh) > /logs/agent/oracle.txt 2>&1"}, options,
            context);
        // Only noted: the verifier decides (solutions end with odd codes and still score 1).
        context.artifact("agent/exit-code.txt", std::to_string(result.status.code) + "\n",
                         "text/plain");
        if (!result.ok()) note(context, "solve.sh: " + result.status.text());
    }

    ScoreResult score(const Task& task, TrialContext& context) override {
        return verify(static_cast<const HarborTask&>(task), mode_, context);
    }

  private:
    // An image without a build: Harbor copies the folder's files to the working directory.
    static void put_environment_folder(const HarborTask& task, Sandbox& main,
                                       TrialContext& context) {
        Path folder = task.folder / "environment";
        if (std::filesystem::is_empty(folder)) return;
        ExecResult where = run_shell(main, "pwd", {}, context.cancel());
        main.put_folder(folder, std::string(trim(where.out)), context.cancel());
    }

    VerifierMode mode_;
};

} // namespace

std::unique_ptr<Suite> make_terminal_bench(const Settings& settings) {
    VerifierMode mode = VerifierMode::Official;
    for (const auto& [key, value] : settings) {
        if (key != "verifier") continue;
        if (value == "compat")
            mode = VerifierMode::Compat;
        else if (value != "official")
            throw Error(ErrorKind::Usage,
                        "verifier is '" + value + "'; possible: official, compat");
    }
    return std::make_unique<TerminalBench>(mode);
}

} // namespace assay
