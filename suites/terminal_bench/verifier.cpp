#include "verifier.h"

#include "artifacts.h"
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "compat.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace assay::terminal_bench {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kRewardLimit = 1 << 20;
constexpr const char* kLogs = "/logs/verifier";

ExecOptions as_root() {
    ExecOptions options;
    options.user = "root";
    options.cwd = "/";
    options.merge_stderr = true;
    return options;
}

// What goes wrong where the agent worked may be its doing: to try again is no remedy, as it is for
// a lost sandbox.
template<class Work>
auto as_verifier_error(Work&& work) {
    try {
        return work();
    } catch (const SandboxLost&) {
        throw;
    } catch (const Error& e) {
        if (e.kind() != ErrorKind::Sandbox) throw;
        throw Error(ErrorKind::Verifier, "where the agent worked: " + e.message());
    }
}

bool has_reward(Sandbox& sandbox, const Cancel& cancel) {
    auto there = [&](const char* name) {
        try {
            return sandbox.get_file(std::string(kLogs) + "/" + name, kRewardLimit, cancel)
                .has_value();
        } catch (const PathError&) { // a folder, or far too large
            return true;
        }
    };
    bool text = there("reward.txt");
    return there("reward.json") || text;
}

// Whatever the agent put where the tests and rewards go is removed, so that a reward is the test's.
// No program of the sandbox has a part in it: the agent may have replaced those.
bool clear_verifier_folders(Sandbox& sandbox, bool tests_too, const Cancel& cancel) {
    bool early = has_reward(sandbox, cancel);
    if (tests_too) sandbox.remove("/tests", cancel);
    sandbox.remove(kLogs, cancel);
    TempFolder host("assay-empty");
    Path empty = host.path() / "verifier";
    std::filesystem::create_directory(empty);
    std::filesystem::permissions(empty, std::filesystem::perms::all);
    sandbox.put_folder(empty, kLogs, cancel);
    if (has_reward(sandbox, cancel))
        throw Error(ErrorKind::Verifier, "a reward came back before the tests were there");
    return early;
}

void put_tests(const HarborTask& task, Sandbox& sandbox, const Cancel& cancel) {
    try {
        sandbox.put_folder(task.tests(), "/tests", cancel);
    } catch (const SandboxLost&) {
        throw;
    } catch (const Error& e) {
        throw Error(ErrorKind::Verifier, "AddTestsDirError: " + e.message());
    }
}

// The exit code of the script is ignored: only the reward counts.
ExecResult run_tests(const HarborTask& task, VerifierMode mode, Sandbox& sandbox,
                     const std::string& user, TrialContext& context) {
    ExecOptions options;
    options.user = user;
    options.environment = task.verifier_env;
    if (mode == VerifierMode::Compat)
        install_compat(sandbox, options.environment, context.cancel());
    run_shell(sandbox, "chmod +x /tests/test.sh", as_root(), context.cancel());
    return recorded_exec(sandbox,
                         {"bash", "-c", "(/tests/test.sh) > /logs/verifier/test-stdout.txt 2>&1"},
                         options, context);
}

Rewards read_rewards(Sandbox& sandbox, const Cancel& cancel) {
    auto read = [&](const char* name) {
        try {
            return sandbox.get_file(std::string(kLogs) + "/" + name, kRewardLimit, cancel);
        } catch (const SandboxLost&) {
            throw;
        } catch (const Error& e) { // a folder, a link out, or far too large
            throw Error(ErrorKind::Verifier, "VerifierOutputParseError: " + e.message());
        }
    };
    if (auto json = read("reward.json")) return parse_reward_json(*json); // it wins over the text
    if (auto text = read("reward.txt")) return parse_reward_text(*text);
    throw Error(ErrorKind::Verifier,
                "RewardFileNotFoundError: neither reward.json nor reward.txt in /logs/verifier")
        .hint("test-stdout.txt among the artifacts says what the test did; Harbor counts such a "
              "trial as 0");
}

void keep_logs(Sandbox& sandbox, TrialContext& context) {
    Cancel after = Cancel().child(Cause::Deadline, 30s, "collecting logs"); // the phase may be over
    try {
        keep_folder(sandbox, kLogs, "verifier", context, after);
    } catch (const std::exception& e) {
        note(context, std::string("verifier logs: ") + e.what());
    }
}

// The agent may have removed or spoilt the folder: that is no reason to give it no score.
void keep_agent_logs(Sandbox& sandbox, TrialContext& context) {
    try {
        keep_folder(sandbox, "/logs/agent", "agent", context, context.cancel());
    } catch (const SandboxLost&) {
        throw;
    } catch (const Error& e) {
        note(context, "agent logs: " + e.message());
    }
}

ScoreResult to_score(const Rewards& rewards, bool reward_before) {
    ScoreResult result;
    std::string primary = primary_key(rewards);
    result.primary = {"reward", rewards.at(primary)};
    auto all = nlohmann::json::object();
    for (const auto& [key, value] : rewards) {
        all[utf8_clean(key)] = value;
        if (key != primary) result.others.push_back({utf8_clean(key), value});
    }
    nlohmann::json details = {{"rewards", all}, {"primary", utf8_clean(primary)}};
    if (reward_before) details["reward_before_verification"] = true;
    result.details = details.dump();
    return result;
}

Rewards run_in(Sandbox& sandbox, const HarborTask& task, VerifierMode mode, const std::string& user,
               TrialContext& context) {
    try {
        run_tests(task, mode, sandbox, user, context);
        Rewards rewards = read_rewards(sandbox, context.cancel());
        keep_logs(sandbox, context);
        return rewards;
    } catch (const Interrupted& stop) {
        if (stop.reason().cause != Cause::Deadline) throw;
        keep_logs(sandbox, context);
        throw Error(ErrorKind::Verifier,
                    fmt::format("VerifierTimeoutError: {}", stop.reason().detail));
    } catch (const StartError& e) {
        throw Error(ErrorKind::Verifier, std::string("test.sh could not be started: ") + e.what());
    } catch (const SandboxLost&) {
        throw;
    } catch (const Error&) {
        keep_logs(sandbox, context);
        throw;
    }
}

ScoreResult verify_shared(const HarborTask& task, VerifierMode mode, TrialContext& context) {
    Sandbox& main = context.environment().main();
    if (auto policy = task.verifier_network()) main.set_network(*policy, context.cancel());
    bool early = !task.keep_early_rewards && clear_verifier_folders(main, true, context.cancel());
    if (early) note(context, "a reward file was there before verification; it was removed");
    put_tests(task, main, context.cancel());
    std::string user = task.toml.verifier.user;
    if (user.empty() && !task.toml.agent.user.empty())
        user = task.image_user.empty() ? "root" : task.image_user;
    return to_score(run_in(main, task, mode, user, context), early);
}

// The agent's processes end before the verifier starts: what they made is taken as it was then.
ScoreResult verify_separate(const HarborTask& task, VerifierMode mode,
                            const std::vector<CollectedArtifact>& artifacts,
                            TrialContext& context) {
    as_verifier_error([&] { context.environment().main().kill_all(context.cancel()); });
    auto environment = context.new_environment(*task.verifier());
    Sandbox& sandbox = environment->main();
    clear_verifier_folders(sandbox, false, context.cancel());
    run_shell(sandbox,
              "mkdir -p /logs/agent /logs/artifacts && chmod 0777 /logs/agent "
              "/logs/artifacts",
              as_root(), context.cancel());
    return as_verifier_error([&] {
        restore_artifacts(artifacts, sandbox, context);
        return to_score(run_in(sandbox, task, mode, task.toml.verifier.user, context), false);
    });
}

void add_deviations(ScoreResult& result, const HarborTask& task, VerifierMode mode,
                    const std::vector<BaseRecord>& bases) {
    result.deviations = task.deviations;
    for (const BaseRecord& base : bases)
        if (base.substituted)
            result.deviations.push_back("base: " + base.used + " in place of " + base.asked);
    if (mode == VerifierMode::Compat)
        result.deviations.emplace_back(
            "verifier=compat: stand-ins for uvx, pip and the pytest plug-in; versions are those of "
            "the base, not the pinned ones");
}

} // namespace

ScoreResult verify(const HarborTask& task, VerifierMode mode, TrialContext& context) {
    std::vector<BaseRecord> bases = context.environment().bases();
    Sandbox& main = context.environment().main();
    SandboxCapabilities can = main.capabilities();
    TempFolder host("assay-artifacts");
    as_verifier_error([&] { run_collect_hooks(task, context); });
    auto artifacts = collect_artifacts(task, main, host.path(), context);
    keep_artifacts(artifacts, context);
    keep_agent_logs(main, context);
    ScoreResult result =
        task.toml.verifier.separate
            ? verify_separate(task, mode, artifacts, context)
            : as_verifier_error([&] { return verify_shared(task, mode, context); });
    if (task.toml.verifier.separate) result.inputs = artifact_inputs(artifacts);
    add_deviations(result, task, mode, bases);
    for (const CollectedArtifact& artifact : artifacts)
        if (task.toml.verifier.separate && !artifact.left_out.empty())
            result.deviations.push_back("the verifier got " + artifact.source + " without " +
                                        std::to_string(artifact.left_out.size()) +
                                        " entries, the first: " + artifact.left_out.front());
    if (task.toml.environment.memory_mb && !can.limit_memory)
        result.deviations.emplace_back("the task's memory limit does not hold on this machine");
    if (task.toml.environment.cpus && !can.limit_cpus)
        result.deviations.emplace_back("the task's CPU limit does not hold on this machine");
    return result;
}

} // namespace assay::terminal_bench
