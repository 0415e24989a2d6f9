#include "run_data.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/stats/score.h"
#include "assay/stats/summary.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace assay {

using Json = nlohmann::json;

bool counts_in_score(AttemptClass c) {
    return c == AttemptClass::Scored || c == AttemptClass::AgentFailure || c == AttemptClass::Limit;
}

std::string_view class_label(AttemptClass c) {
    switch (c) {
    case AttemptClass::Scored:
        return "scored";
    case AttemptClass::AgentFailure:
        return "agent failure";
    case AttemptClass::Limit:
        return "limit reached";
    case AttemptClass::InfrastructureError:
        return "infrastructure error";
    case AttemptClass::VerifierError:
        return "verifier error";
    case AttemptClass::Cancelled:
        return "cancelled";
    }
    return "cancelled";
}

namespace {

void read_primary_metric(RunData& run) {
    run.primary = "score";
    Json list = parse_json<Json>(run.plan.metrics);
    if (!list.is_array()) return;
    for (const Json& metric : list) {
        if (!metric.is_object() || !metric.value("primary", false)) continue;
        run.primary = metric.value("name", "score");
        run.official = metric.value("official", false); // absent from older plans: not known
        return;
    }
}

std::vector<std::string> string_list(const std::string& json) {
    std::vector<std::string> out;
    Json list = parse_json<Json>(json);
    if (list.is_array())
        for (const Json& item : list)
            if (item.is_string()) out.push_back(item.get<std::string>());
    return out;
}

// One task of one arm: what the statistics work on.
struct TaskGroup {
    TaskScores counted;                                // attempts that count
    TaskScores as_zero;                                // errors as 0
    std::map<std::string, std::vector<double>> others; // further metrics, of attempts that count
};

void add_attempt(ArmSummary& arm, TaskGroup& group, const AttemptData& attempt) {
    ++arm.attempts;
    arm.retries += attempt.tries.empty() ? 0 : attempt.tries.size() - 1;
    for (const TryRow& row : attempt.tries) { // what retries cost was spent too
        arm.usage = arm.usage + row.end.usage;
        arm.wall_seconds += row.end.wall_seconds;
        arm.model_seconds += row.end.model_seconds;
        arm.sandbox_seconds += row.end.sandbox_seconds;
    }
    if (attempt.pending) {
        ++arm.pending;
        return;
    }
    const TryEnd& end = attempt.row.end;
    ++arm.classes[static_cast<std::size_t>(end.attempt_class)];
    if (end.attempt_class == AttemptClass::Cancelled) return;
    double value = end.score.value_or(0);
    group.as_zero.scores.push_back(attempt.counts ? value : 0);
    if (!attempt.counts) return;
    group.counted.scores.push_back(value);
    for (const ScoreRecord& score : attempt.scores) {
        for (const std::string& deviation : string_list(score.deviations))
            if (std::find(arm.deviations.begin(), arm.deviations.end(), deviation) ==
                arm.deviations.end())
                arm.deviations.push_back(deviation);
        if (score.primary) continue;
        group.others[score.metric].push_back(score.value);
    }
}

void estimate_arm(ArmSummary& arm, const std::map<std::string, TaskGroup>& groups) {
    std::vector<TaskScores> counted, as_zero;
    for (const auto& [task, group] : groups) {
        if (!group.as_zero.scores.empty()) as_zero.push_back(group.as_zero);
        if (!group.counted.scores.empty()) counted.push_back(group.counted);
    }
    if (!as_zero.empty()) arm.score_errors_0 = estimate(as_zero).value;
    if (counted.empty()) return;
    Estimate all = estimate(counted);
    arm.score = all.value;
    // As on the Terminal-Bench leaderboard: no figure if a task was tried only once.
    if (all.single_attempt_tasks == 0) arm.se_conditional = all.conditional_error;
    arm.se_generalising = all.generalising_error;
    if (arm.k < 2) return;
    auto k = static_cast<std::uint64_t>(arm.k);
    arm.pass_at_k = pass_at_k(counted, k);
    arm.pass_hat_k = pass_hat_k(counted, k);
}

void summarise(RunData& run, std::size_t index) {
    ArmSummary arm;
    arm.arm = index;
    std::map<std::string, TaskGroup> groups;
    for (std::size_t i = 0; i < run.attempts.size(); ++i) {
        const SlotRecord& slot = run.plan.slots[i];
        if (slot.arm != run.plan.arms[index].id) continue;
        TaskGroup& group = groups[slot.task];
        group.counted.task = group.as_zero.task = slot.task;
        group.counted.family = group.as_zero.family = slot.family;
        arm.k = std::max(arm.k, slot.attempt);
        add_attempt(arm, group, run.attempts[i]);
    }
    arm.tasks = groups.size();
    estimate_arm(arm, groups);
    std::map<std::string, std::vector<double>> others; // each task's mean
    for (const auto& [task, group] : groups)
        for (const auto& [name, values] : group.others) others[name].push_back(mean(values));
    for (const auto& [name, means] : others) arm.others.emplace_back(name, mean(means));
    run.arms.push_back(std::move(arm));
}

std::vector<std::string> broken_tasks(const RunData& run) {
    std::set<Id> oracles;
    for (const ArmRecord& arm : run.plan.arms)
        if (arm.agent == "oracle") oracles.insert(arm.id);
    std::vector<std::string> out;
    for (const AttemptData& attempt : run.attempts)
        if (oracles.contains(attempt.row.arm) && attempt.counts && attempt.row.end.score == 0.0 &&
            std::find(out.begin(), out.end(), attempt.row.task) == out.end())
            out.push_back(attempt.row.task);
    return out;
}

} // namespace

RunData load_run(const Path& file) {
    RunData run;
    run.file = file.filename().string();
    run.reader = RunReader::open(file);
    run.plan = run.reader->plan();
    run.summary = run.reader->summary();
    run.environments = run.reader->environments();
    read_primary_metric(run);
    std::map<Id, std::vector<TryRow>> tries;
    for (TryRow& row : run.reader->tries()) tries[row.slot].push_back(std::move(row));
    for (const SlotRecord& slot : run.plan.slots) {
        AttemptData attempt;
        attempt.tries = std::move(tries[slot.id]);
        attempt.pending = true;
        for (const TryRow& row : attempt.tries) {
            if (row.running) continue;
            bool better = attempt.pending || row.end.accepted || !attempt.row.end.accepted;
            if (better) attempt.row = row;
            attempt.pending = false;
        }
        if (!attempt.pending) {
            attempt.scores = run.reader->scores(attempt.row.row);
            attempt.counts = counts_in_score(attempt.row.end.attempt_class) &&
                             (attempt.row.end.score.has_value() ||
                              attempt.row.end.attempt_class == AttemptClass::AgentFailure);
        }
        run.attempts.push_back(std::move(attempt));
    }
    for (std::size_t i = 0; i < run.plan.arms.size(); ++i) summarise(run, i);
    run.broken_tasks = broken_tasks(run);
    return run;
}

} // namespace assay
