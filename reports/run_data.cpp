#include "run_data.h"

#include "assay/base/error.h"
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

std::string primary_metric(const std::string& metrics) {
    Json list = Json::parse(metrics, nullptr, false);
    if (list.is_array())
        for (const Json& metric : list)
            if (metric.is_object() && metric.value("primary", false))
                return metric.value("name", "score");
    return "score";
}

std::vector<std::string> string_list(const std::string& json) {
    std::vector<std::string> out;
    Json list = Json::parse(json, nullptr, false);
    if (list.is_array())
        for (const Json& item : list)
            if (item.is_string()) out.push_back(item.get<std::string>());
    return out;
}

// The task outcomes of one arm: what the statistics work on.
struct TaskGroup {
    std::string family;
    std::vector<double> scores;  // of attempts that count
    std::vector<double> as_zero; // errors as 0
};

void add_attempt(ArmSummary& arm, TaskGroup& group, const AttemptData& attempt,
                 std::map<std::string, std::pair<double, int>>& others) {
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
    group.as_zero.push_back(attempt.counts ? value : 0);
    if (!attempt.counts) return;
    group.scores.push_back(value);
    for (const ScoreRecord& score : attempt.scores) {
        for (const std::string& deviation : string_list(score.deviations))
            if (std::find(arm.deviations.begin(), arm.deviations.end(), deviation) ==
                arm.deviations.end())
                arm.deviations.push_back(deviation);
        if (score.primary) continue;
        auto& sum = others[score.metric];
        sum.first += score.value;
        ++sum.second;
    }
}

std::optional<double> mean_of_tasks(const std::vector<std::vector<double>>& tasks) {
    if (tasks.empty()) return std::nullopt;
    return mean_of_means(tasks);
}

void summarise(RunData& run, std::size_t index) {
    ArmSummary arm;
    arm.arm = index;
    std::map<std::string, TaskGroup> groups;
    std::map<std::string, std::pair<double, int>> others;
    for (std::size_t i = 0; i < run.attempts.size(); ++i) {
        const SlotRecord& slot = run.plan.slots[i];
        if (slot.arm != run.plan.arms[index].id) continue;
        TaskGroup& group = groups[slot.task];
        group.family = slot.family.empty() ? slot.task : slot.family;
        arm.k = std::max(arm.k, slot.attempt);
        add_attempt(arm, group, run.attempts[i], others);
    }
    arm.tasks = groups.size();
    std::vector<std::vector<double>> scores, as_zero;
    std::vector<std::string> families;
    for (const auto& [task, group] : groups) {
        if (!group.as_zero.empty()) as_zero.push_back(group.as_zero);
        if (group.scores.empty()) continue;
        scores.push_back(group.scores);
        families.push_back(group.family);
    }
    arm.score = mean_of_tasks(scores);
    arm.score_errors_0 = mean_of_tasks(as_zero);
    if (arm.score) {
        arm.se_conditional = conditional_standard_error(scores);
        arm.se_generalising = clustered_standard_error(scores, families);
    }
    for (const auto& [name, sum] : others) arm.others.emplace_back(name, sum.first / sum.second);
    run.arms.push_back(std::move(arm));
}

} // namespace

RunData load_run(const Path& file) {
    RunData run;
    run.file = file.filename().string();
    run.reader = RunReader::open(file);
    run.plan = run.reader->plan();
    run.summary = run.reader->summary();
    run.environments = run.reader->environments();
    run.primary = primary_metric(run.plan.metrics);
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
    return run;
}

} // namespace assay
