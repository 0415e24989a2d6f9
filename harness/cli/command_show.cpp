// assay show: a run as a table, a task's attempts, an attempt's trajectory; all of it as JSON too.
#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "attempts.h"
#include "commands.h"
#include "progress.h"
#include "show_trajectory.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <map>
#include <set>

namespace assay {

using Json = nlohmann::ordered_json;

std::vector<AttemptRow> attempts_of(const std::vector<TryRow>& tries) {
    std::vector<AttemptRow> out;
    std::map<Id, std::size_t> at;
    for (const TryRow& row : tries) {
        if (row.running) continue;
        auto [found, fresh] = at.try_emplace(row.slot, out.size());
        if (fresh) {
            out.push_back({row, 1});
            continue;
        }
        AttemptRow& known = out[found->second];
        ++known.tries;
        if (!known.row.end.accepted) known.row = row;
    }
    return out;
}

namespace {

Json usage_json(const Usage& usage, int turns) {
    return {{"turns", turns},
            {"prompt_tokens", usage.prompt_tokens},
            {"cached_tokens", usage.cached_tokens},
            {"completion_tokens", usage.completion_tokens},
            {"reasoning_tokens", usage.reasoning_tokens},
            {"cost", usage.cost ? Json(*usage.cost) : Json(nullptr)}};
}

Json known(double value) {
    return value < 0 ? Json(nullptr) : Json(value);
}
Json known(std::int64_t value) {
    return value < 0 ? Json(nullptr) : Json(value);
}

Json attempt_json(RunReader& reader, const AttemptRow& attempt) {
    const TryRow& row = attempt.row;
    const TryEnd& end = row.end;
    Json seconds = {{"wall", end.wall_seconds},
                    {"queue", end.queue_seconds},
                    {"model", end.model_seconds},
                    {"sandbox", end.sandbox_seconds}};
    for (const PhaseRecord& phase : reader.phases(row.row)) seconds[phase.name] = phase.seconds;
    Json error = nullptr;
    if (end.error)
        error = {{"kind", end.error->kind},
                 {"message", end.error->message},
                 {"trace", end.error->trace}};
    std::string arm;
    for (const ArmRecord& one : reader.plan().arms)
        if (one.id == row.arm) arm = one.label;
    return {{"task", row.task},
            {"attempt", row.attempt},
            {"arm", arm},
            {"class", to_string(end.attempt_class)},
            {"score", end.score ? Json(*end.score) : Json(nullptr)},
            {"seconds", std::move(seconds)},
            {"usage", usage_json(end.usage, end.turns)},
            {"error", std::move(error)},
            {"agent", {{"end", to_string(end.agent)}, {"detail", end.agent_detail}}},
            {"verify", {{"end", to_string(end.verify)}}},
            {"accepted", end.accepted},
            {"tries", attempt.tries},
            {"resources",
             {{"cpu_seconds", known(end.resources.cpu_seconds)},
              {"memory_peak_bytes", known(end.resources.memory_peak_bytes)},
              {"oom_kills", known(end.resources.oom_kills)},
              {"pids_peak", known(end.resources.pids_peak)},
              {"disk_bytes", known(end.resources.disk_bytes)}}},
            {"environment", parse_json<Json>(end.environment)}};
}

Json run_json(RunReader& reader, const std::vector<TryRow>& tries) {
    const PlanRecord& plan = reader.plan();
    RunSummary summary = reader.summary();
    Json arms = Json::array(), environments = Json::array(), refused = Json::array();
    for (const ArmRecord& arm : plan.arms)
        arms.push_back({{"label", arm.label},
                        {"agent", arm.agent},
                        {"agent_version", arm.agent_version},
                        {"model", arm.model},
                        {"judge", arm.judge}});
    for (const std::string& environment : reader.environments())
        environments.push_back(parse_json<Json>(environment));
    for (const auto& [task, why] : plan.refused) refused.push_back({{"task", task}, {"why", why}});
    Json connections = Json::array();
    for (const ConnectionChange& change : reader.connection_changes())
        connections.push_back({{"time", iso8601(change.time)},
                               {"connection", change.connection},
                               {"before", change.before},
                               {"after", change.after},
                               {"cause", change.cause}});
    Json audit = Json::array();
    for (const AuditRecord& record : reader.audit())
        audit.push_back({{"time", iso8601(record.time)},
                         {"who", record.who},
                         {"what", record.what},
                         {"why", record.why}});
    std::size_t running = 0;
    for (const TryRow& row : tries) running += row.running ? 1 : 0;
    return {{"id", plan.run.hex()},
            {"suite", plan.suite},
            {"suite_version", plan.suite_version},
            {"source", plan.source},
            {"seed", plan.seed},
            {"plan_digest", plan.digest().hex()},
            {"settings", parse_json<Json>(plan.settings)},
            {"status", summary.status},
            {"created", iso8601(summary.created)},
            {"ended", summary.ended == 0 ? Json(nullptr) : Json(iso8601(summary.ended))},
            {"planned", plan.slots.size()},
            {"running", running},
            {"arms", std::move(arms)},
            {"refused", std::move(refused)},
            {"environments", std::move(environments)},
            {"audit", std::move(audit)},
            {"connection_changes", std::move(connections)}};
}

std::string one_line(std::string_view text, std::size_t limit) {
    std::string out = printable(text);
    if (out.size() > limit) out = out.substr(0, utf8_floor(out, limit)) + "…";
    return out;
}

// As the run's own last line says it. `planned`: of the run, or of what is shown of it.
std::string ended_with_a_score(const std::vector<AttemptRow>& attempts,
                               const std::vector<TryRow>& tries, std::size_t planned) {
    std::set<Id> begun;
    for (const TryRow& row : tries) begun.insert(row.slot);
    std::size_t scored = 0, cancelled = 0;
    for (const AttemptRow& attempt : attempts) {
        scored += attempt.row.end.accepted ? 1 : 0;
        cancelled += attempt.row.end.attempt_class == AttemptClass::Cancelled ? 1 : 0;
    }
    std::string out = fmt::format("{} of {} attempts ended with a score", scored, planned);
    if (std::size_t in_error = attempts.size() - scored - cancelled; in_error != 0)
        out += fmt::format(", {} in error", in_error);
    if (cancelled != 0) out += fmt::format(", {} broken off", cancelled);
    if (begun.size() != planned) out += fmt::format(", {} not begun", planned - begun.size());
    return out;
}

void print_table(RunReader& reader, const std::vector<AttemptRow>& attempts,
                 const std::vector<TryRow>& tries, std::size_t planned) {
    const PlanRecord& plan = reader.plan();
    fmt::print("{} {}, run {}, {}: {}\n", plan.suite, plan.suite_version,
               plan.run.hex().substr(0, 8), reader.summary().status,
               ended_with_a_score(attempts, tries, planned));
    std::map<std::string, int> classes;
    std::size_t width = 4;
    for (const AttemptRow& attempt : attempts) width = std::max(width, attempt.row.task.size());
    width = std::min<std::size_t>(width, 48);
    for (const AttemptRow& attempt : attempts) {
        const TryEnd& end = attempt.row.end;
        ++classes[std::string(to_string(end.attempt_class))];
        std::string arm;
        if (plan.arms.size() > 1)
            for (const ArmRecord& one : plan.arms)
                if (one.id == attempt.row.arm) arm = "  " + one.label;
        std::string detail;
        if (end.error)
            detail = "  " + end.error->kind + ": " + end.error->message;
        else if (end.agent == AgentEnd::Limit)
            detail = "  " + end.agent_detail;
        fmt::print("{:<{}} #{:<3} {:<20} {:>7}  {:>9}{}{}{}\n", one_line(attempt.row.task, width),
                   width, attempt.row.attempt, to_string(end.attempt_class),
                   end.score ? fmt::format("{:.4g}", *end.score) : "-",
                   format_seconds(end.wall_seconds),
                   attempt.tries > 1 ? fmt::format("  try {}", attempt.row.number) : "",
                   one_line(arm, 60), one_line(detail, 160));
    }
    for (const TryRow& row : tries)
        if (row.running)
            fmt::print("{:<{}} #{:<3} running, or it was when the run was killed\n",
                       one_line(row.task, width), width, row.attempt);
    for (const auto& [task, why] : plan.refused)
        fmt::print("{:<{}} not run: {}\n", one_line(task, width), width, one_line(why, 160));
    for (const std::string& line : connection_lines(reader.connection_changes()))
        fmt::print("{}\n", one_line(line, 240));
    std::string sum;
    for (const auto& [name, count] : classes)
        sum += fmt::format("{}{} {}", sum.empty() ? "" : ", ", count, name);
    if (!sum.empty()) fmt::print("{}\n", sum);
}

// How many attempts of the task the plan has, with `attempt` only those of that number.
std::size_t planned_of(const PlanRecord& plan, const std::string& task,
                       const std::optional<int>& attempt) {
    bool task_there = false;
    std::size_t planned = 0;
    for (const SlotRecord& slot : plan.slots) {
        if (slot.task != task) continue;
        task_there = true;
        planned += !attempt || slot.attempt == *attempt ? 1 : 0;
    }
    if (planned != 0) return planned;
    throw Error(ErrorKind::Usage, task_there
                                      ? fmt::format("the task {} has no attempt {}", task, *attempt)
                                      : "the run has no task '" + task + "'")
        .hint("`assay show RUN.db` lists what it has");
}

} // namespace

int command_show(const Arguments& arguments) {
    auto reader = RunReader::open(arguments.files.at(0));
    std::vector<TryRow> tries;
    std::size_t planned = reader->plan().slots.size();
    if (arguments.task.empty()) {
        tries = reader->tries();
    } else {
        planned = planned_of(reader->plan(), arguments.task, arguments.attempt);
        tries = reader->tries(arguments.task, arguments.attempt);
    }
    std::vector<AttemptRow> attempts = attempts_of(tries);
    if (arguments.json) {
        Json list = Json::array();
        for (const AttemptRow& attempt : attempts) {
            Json one = attempt_json(*reader, attempt);
            if (!arguments.task.empty()) add_trajectory(*reader, attempt.row.row, one);
            list.push_back(std::move(one));
        }
        Json out = {{"run", run_json(*reader, tries)}, {"attempts", std::move(list)}};
        std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        return 0;
    }
    if (arguments.task.empty() || attempts.size() != 1)
        print_table(*reader, attempts, tries, planned);
    if (!arguments.task.empty())
        for (const AttemptRow& attempt : attempts) print_trajectory(*reader, attempt.row);
    return 0;
}

} // namespace assay
