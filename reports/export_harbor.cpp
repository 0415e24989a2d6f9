#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/reports/export.h"
#include "assay/stats/score.h"
#include "atif.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

// Random (version 4) in form, derived in content: the same run gives the same folder again.
std::string uuid(const std::string& text) {
    Id id = Id::derive(text);
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x40);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
    std::string hex = id.hex();
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
           hex.substr(16, 4) + "-" + hex.substr(20);
}

// Harbor splits "provider/model"; our specs are "provider:model".
Json model_info(const std::string& spec) {
    std::size_t colon = spec.find(':');
    if (colon == std::string::npos) return {{"name", spec}};
    return {{"name", spec.substr(colon + 1)}, {"provider", spec.substr(0, colon)}};
}

// Harbor's names for the errors that its readers know.
std::string exception_type(const TryEnd& end) {
    if (end.agent == AgentEnd::Limit) return "AgentTimeoutError";
    if (!end.error) return "UnknownError";
    if (end.attempt_class == AttemptClass::VerifierError) {
        for (const char* name : {"RewardFileNotFoundError", "RewardFileEmptyError",
                                 "VerifierOutputParseError", "VerifierTimeoutError"})
            if (end.error->message.find(name) != std::string::npos) return name;
        return "VerifierError";
    }
    if (end.attempt_class == AttemptClass::AgentFailure) return "NonZeroAgentExitCodeError";
    if (end.attempt_class == AttemptClass::Cancelled) return "CancelledError";
    return "EnvironmentError";
}

struct JobStats {
    std::size_t trials = 0, errors = 0;
    std::vector<double> rewards; // missing is 0, as Harbor counts
    std::map<std::string, std::vector<std::string>> by_reward, by_exception;
    std::map<std::string, std::vector<int>> binary; // task -> outcomes; empty if not 0/1
};

class HarborExport {
  public:
    HarborExport(RunData& run, Path out)
        : run_(run)
        , out_(std::move(out)) {}

    void write() {
        fs_.make_folders(out_);
        for (std::size_t i = 0; i < run_.attempts.size(); ++i)
            if (!run_.attempts[i].pending) write_trial(i);
        write_json(out_ / "config.json", job_config());
        write_json(out_ / "result.json", job_result());
    }

  private:
    void write_json(const Path& path, const Json& json) {
        fs_.write(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", 0644);
    }

    const ArmRecord& arm_of(std::size_t i) const {
        for (const ArmRecord& arm : run_.plan.arms)
            if (arm.id == run_.plan.slots[i].arm) return arm;
        throw Error(ErrorKind::Internal, "a slot without its arm");
    }

    std::string trial_name(std::size_t i) const {
        const SlotRecord& slot = run_.plan.slots[i];
        return file_name(std::string_view(slot.task).substr(0, 32)) + "__" +
               slot.id.hex().substr(0, 7);
    }

    void write_trial(std::size_t i) {
        const AttemptData& attempt = run_.attempts[i];
        const ArmRecord& arm = arm_of(i);
        std::string name = trial_name(i);
        Path folder = out_ / name;
        fs_.make_folders(folder / "agent");
        fs_.make_folders(folder / "verifier");
        fs_.make_folders(folder / "artifacts");
        Json config = {{"task", {{"path", run_.plan.slots[i].task}}},
                       {"trial_name", name},
                       {"agent", agent_config(arm)},
                       {"job_id", uuid(run_.plan.run.hex())}};
        write_json(folder / "config.json", config);
        write_json(folder / "result.json", trial_result(i, name, config));
        fs_.write(folder / "agent" / "trajectory.json", atif_json(run_, arm, attempt.row), 0644);
        write_verifier(attempt, folder);
        count(i, name, arm);
    }

    void write_verifier(const AttemptData& attempt, const Path& folder) {
        if (attempt.counts)
            fs_.write(folder / "verifier" / "reward.txt",
                      fmt::format("{}\n", attempt.row.end.score.value_or(0)), 0644);
        Json manifest = Json::array();
        for (const ArtifactRow& artifact : run_.reader->artifacts(attempt.row.row)) {
            std::string name = file_name(artifact.path);
            bool verifier = artifact.path.find("verifier/") != std::string::npos;
            std::size_t slash = artifact.path.rfind('/');
            if (verifier) name = file_name(artifact.path.substr(slash + 1));
            if (verifier && name == "reward.txt") continue;
            fs_.write(folder / (verifier ? "verifier" : "artifacts") / name,
                      run_.reader->blob(artifact.blob), 0644);
            if (!verifier)
                manifest.push_back({{"source", artifact.path},
                                    {"destination", name},
                                    {"type", "file"},
                                    {"status", "ok"},
                                    {"service", "main"}});
        }
        write_json(folder / "artifacts" / "manifest.json", manifest);
    }

    static Json agent_config(const ArmRecord& arm) {
        Json out = {{"name", arm.agent}};
        if (!arm.model.empty()) {
            Json info = model_info(arm.model);
            out["model_name"] =
                info.contains("provider")
                    ? info["provider"].get<std::string>() + "/" + info["name"].get<std::string>()
                    : info["name"].get<std::string>();
        }
        return out;
    }

    Json trial_result(std::size_t i, const std::string& name, const Json& config) {
        const AttemptData& attempt = run_.attempts[i];
        const TryEnd& end = attempt.row.end;
        const ArmRecord& arm = arm_of(i);
        Json info = {{"name", arm.agent},
                     {"version", arm.agent_version.empty() ? "0" : arm.agent_version}};
        if (!arm.model.empty()) info["model_info"] = model_info(arm.model);
        Json out = {{"id", uuid(attempt.row.slot.hex())},
                    {"task_name", attempt.row.task},
                    {"trial_name", name},
                    {"trial_uri", "file://" + (out_ / name).string()},
                    {"task_id", {{"path", attempt.row.task}}},
                    {"source", run_.plan.suite},
                    {"task_checksum", run_.plan.slots[i].task_digest},
                    {"config", config},
                    {"agent_info", std::move(info)},
                    {"agent_result",
                     {{"n_input_tokens", end.usage.prompt_tokens},
                      {"n_cache_tokens", end.usage.cached_tokens},
                      {"n_output_tokens", end.usage.completion_tokens},
                      {"cost_usd", end.usage.cost ? Json(*end.usage.cost) : Json()}}},
                    {"started_at", iso8601(attempt.row.began)},
                    {"finished_at", iso8601(end.ended)}};
        if (attempt.counts) out["verifier_result"] = {{"rewards", rewards(attempt)}};
        if (end.error || end.agent == AgentEnd::Limit)
            out["exception_info"] = {
                {"exception_type", exception_type(end)},
                {"exception_message", end.error ? end.error->message : end.agent_detail},
                {"exception_traceback", end.error ? end.error->trace : ""},
                {"occurred_at", iso8601(end.ended)}};
        add_phases(attempt, out);
        return out;
    }

    static Json rewards(const AttemptData& attempt) {
        return {{"reward", attempt.row.end.score.value_or(0)}};
    }

    void add_phases(const AttemptData& attempt, Json& out) {
        static const std::map<std::string, std::string> names = {
            {"environment_start", "environment_setup"},
            {"agent_setup", "agent_setup"},
            {"agent", "agent_execution"},
            {"verify", "verifier"}};
        for (const PhaseRecord& phase : run_.reader->phases(attempt.row.row)) {
            auto found = names.find(phase.name);
            if (found == names.end()) continue;
            auto finish = phase.began +
                          static_cast<std::int64_t>((phase.seconds + phase.queue_seconds) * 1e6);
            out[found->second] = {{"started_at", iso8601(phase.began)},
                                  {"finished_at", iso8601(finish)}};
        }
    }

    std::string eval_key(const ArmRecord& arm) const {
        if (arm.model.empty()) return arm.agent + "__" + run_.plan.suite;
        Json info = model_info(arm.model);
        return arm.agent + "__" + info["name"].get<std::string>() + "__" + run_.plan.suite;
    }

    void count(std::size_t i, const std::string& name, const ArmRecord& arm) {
        const AttemptData& attempt = run_.attempts[i];
        JobStats& stats = stats_[eval_key(arm)];
        ++stats.trials;
        bool failed = attempt.row.end.error || attempt.row.end.agent == AgentEnd::Limit;
        stats.errors += failed ? 1u : 0u;
        if (failed) stats.by_exception[exception_type(attempt.row.end)].push_back(name);
        double reward = attempt.counts ? attempt.row.end.score.value_or(0) : 0;
        stats.rewards.push_back(reward);
        if (attempt.counts) {
            Json number = reward; // "1.0", "0.5": as Harbor writes its keys
            stats.by_reward[number.dump()].push_back(name);
        }
        if (reward != 0 && reward != 1) binary_ = false;
        stats.binary[attempt.row.task].push_back(reward == 1 ? 1 : 0);
    }

    // 1 - C(n-c,k)/C(n,k), the mean over tasks; for k = 2, 4, 8 ... and 5, 10, 15 ... up to the
    // smallest n.
    static Json pass_table(const JobStats& stats) {
        std::size_t least = SIZE_MAX;
        for (const auto& [task, outcomes] : stats.binary) least = std::min(least, outcomes.size());
        Json out = Json::object();
        if (least == SIZE_MAX) return out;
        auto wanted = [](std::size_t k) { return k % 5 == 0 || (k >= 2 && (k & (k - 1)) == 0); };
        for (std::size_t k = 2; k <= least; ++k) {
            if (!wanted(k)) continue;
            double sum = 0;
            for (const auto& [task, outcomes] : stats.binary) {
                auto passed = std::count(outcomes.begin(), outcomes.end(), 1);
                sum += pass_at_k(outcomes.size(), static_cast<std::uint64_t>(passed), k);
            }
            out[std::to_string(k)] = sum / static_cast<double>(stats.binary.size());
        }
        return out;
    }

    Json job_result() {
        std::size_t done = 0, errors = 0, pending = 0, retries = 0, cancelled = 0;
        Usage usage;
        Json evals = Json::object();
        for (const auto& [key, stats] : stats_) {
            double sum = 0;
            for (double reward : stats.rewards) sum += reward;
            evals[key] = {
                {"n_trials", stats.trials},
                {"n_errors", stats.errors},
                {"metrics",
                 Json::array({{{"mean", sum / static_cast<double>(stats.rewards.size())}}})},
                {"pass_at_k", binary_ ? pass_table(stats) : Json::object()},
                {"reward_stats", {{"reward", stats.by_reward}}},
                {"exception_stats", stats.by_exception}};
            errors += stats.errors;
            done += stats.trials;
        }
        for (const ArmSummary& arm : run_.arms) {
            pending += arm.pending;
            retries += arm.retries;
            usage = usage + arm.usage;
            cancelled += arm.classes[static_cast<std::size_t>(AttemptClass::Cancelled)];
        }
        Json out = {{"id", uuid(run_.plan.run.hex())},
                    {"started_at", iso8601(run_.summary.created)},
                    {"updated_at",
                     iso8601(run_.summary.ended != 0 ? run_.summary.ended : run_.summary.created)},
                    {"n_total_trials", run_.plan.slots.size()},
                    {"stats",
                     {{"n_completed_trials", done},
                      {"n_errored_trials", errors},
                      {"n_running_trials", 0},
                      {"n_pending_trials", pending},
                      {"n_cancelled_trials", cancelled},
                      {"n_retries", retries},
                      {"n_input_tokens", usage.prompt_tokens},
                      {"n_cache_tokens", usage.cached_tokens},
                      {"n_output_tokens", usage.completion_tokens},
                      {"cost_usd", usage.cost ? Json(*usage.cost) : Json()},
                      {"evals", std::move(evals)}}}};
        if (run_.summary.ended != 0) out["finished_at"] = iso8601(run_.summary.ended);
        return out;
    }

    Json job_config() const {
        Json agents = Json::array();
        for (const ArmRecord& arm : run_.plan.arms) agents.push_back(agent_config(arm));
        return {{"job_name", out_.filename().string()},
                {"agents", std::move(agents)},
                {"datasets", Json::array({{{"path", run_.plan.source}}})}};
    }

    RunData& run_;
    Path out_;
    RealFileSystem fs_;
    std::map<std::string, JobStats> stats_;
    bool binary_ = true;
};

} // namespace

void export_harbor(const Path& file, const Path& out) {
    RunData run = load_run(file);
    Path folder = out.has_filename() ? out : out.parent_path();
    HarborExport(run, std::filesystem::absolute(folder)).write();
}

} // namespace assay
