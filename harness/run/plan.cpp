#include "assay/run/plan.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

namespace assay {

namespace {

// A model that is a file goes by its name: "script:/a/b/c.json" is "script:c.json".
std::string arm_label(const ArmRecord& arm) {
    if (arm.model.empty()) return arm.agent;
    std::string model = arm.model;
    std::size_t path = model.find(':') + 1;
    if (path != 0 && path < model.size() && (model[path] == '/' || model[path] == '.'))
        model.erase(path, model.rfind('/') + 1 - path);
    return arm.agent + "@" + model;
}

void name_arms(const Id& run, std::vector<ArmRecord>& arms) {
    std::map<std::string, int> seen;
    for (ArmRecord& arm : arms) {
        if (arm.label.empty()) arm.label = arm_label(arm);
        if (int again = seen[arm.label]++; again != 0) arm.label += fmt::format(" #{}", again + 1);
        arm.id = arm_id(run, arm.label);
    }
}

} // namespace

PlanRecord make_plan(const SuiteInfo& suite, const TaskSet& tasks, PlanRequest request) {
    if (request.attempts < 1) throw Error(ErrorKind::Usage, "--attempts must be at least 1");
    if (request.arms.empty()) throw Error(ErrorKind::Usage, "no agent to run");
    if (tasks.headers().empty()) {
        std::string why;
        for (const auto& [task, reason] : tasks.refused()) why += "\n  " + task + ": " + reason;
        throw Error(ErrorKind::Usage,
                    "no task is left to run" + (why.empty() ? "" : "; refused are:" + why))
            .hint("look at --tasks and the --task globs");
    }

    PlanRecord plan;
    plan.run = request.run;
    plan.suite = suite.name;
    plan.suite_version = suite.version;
    plan.source = request.source.empty() ? "samples" : request.source;
    plan.seed = request.seed;
    plan.settings = std::move(request.settings);
    plan.arms = std::move(request.arms);
    plan.refused = tasks.refused();
    name_arms(plan.run, plan.arms);

    std::string metrics;
    for (const MetricDefinition& metric : suite.metrics)
        metrics +=
            fmt::format(R"({}{{"name":{},"description":{},"higher_is_better":{},"primary":{},)"
                        R"("official":{}}})",
                        metrics.empty() ? "" : ",", json_quote(metric.name),
                        json_quote(metric.description), metric.higher_is_better, metric.primary,
                        metric.official && !request.source.empty()); // samples are our own
    plan.metrics = "[" + metrics + "]";

    for (int attempt = 1; attempt <= request.attempts; ++attempt) {
        for (const TaskHeader& task : tasks.headers()) {
            for (const ArmRecord& arm : plan.arms) {
                SlotRecord slot;
                slot.id = slot_id(plan.run, task.id, arm.label, attempt);
                slot.arm = arm.id;
                slot.task = task.id;
                slot.family = task.family.empty() ? task.id : task.family;
                slot.task_digest = task.digest;
                slot.attempt = attempt;
                slot.order = static_cast<std::int64_t>(plan.slots.size());
                plan.slots.push_back(std::move(slot));
            }
        }
    }
    return plan;
}

std::vector<SlotRecord> shard_slots(const std::vector<SlotRecord>& slots, int index, int count) {
    std::vector<SlotRecord> mine;
    for (const SlotRecord& slot : slots)
        if (slot.order % count == index - 1) mine.push_back(slot);
    return mine;
}

std::pair<int, int> parse_shard(std::string_view text) {
    auto number = [](std::string_view part, int& into) {
        auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), into);
        return problem == std::errc() && end == part.data() + part.size();
    };
    auto parts = split(text, '/');
    int index = 0, count = 0;
    constexpr const char* kExample = "the shards of three machines are 1/3, 2/3 and 3/3";
    if (parts.size() != 2 || !number(parts[0], index) || !number(parts[1], count) || count < 1)
        throw Error(ErrorKind::Usage, "--shard " + std::string(text) + ": not of the form I/N")
            .hint(kExample);
    if (index < 1 || count < index)
        throw Error(ErrorKind::Usage,
                    fmt::format("--shard {}: I of I/N must be 1 to {}", text, count))
            .hint(kExample);
    return {index, count};
}

} // namespace assay
