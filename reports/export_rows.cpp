// CSV and JUnit: one row, one test case an attempt.
#include "assay/reports/export.h"
#include "html_text.h"
#include "run_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace assay {

namespace {

std::string csv_field(std::string_view text) {
    std::string value(text);
    // A spreadsheet would run a text that begins like a formula.
    if (!value.empty() && std::string_view("=+-@\t").find(value[0]) != std::string_view::npos)
        value.insert(0, "'");
    if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
    std::string out = "\"";
    for (char c : value) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

const ArmRecord* arm_of(const RunData& run, std::size_t slot) {
    for (const ArmRecord& arm : run.plan.arms)
        if (arm.id == run.plan.slots[slot].arm) return &arm;
    return nullptr;
}

std::string csv_row(const RunData& run, std::size_t i) {
    const AttemptData& attempt = run.attempts[i];
    const SlotRecord& slot = run.plan.slots[i];
    const TryEnd& end = attempt.row.end;
    const ArmRecord* arm = arm_of(run, i);
    std::string head = fmt::format("{},{},{},{},{},{}", csv_field(run.plan.suite),
                                   csv_field(arm->agent), csv_field(arm->model),
                                   csv_field(slot.task), csv_field(slot.family), slot.attempt);
    if (attempt.pending) return head + ",pending,,,,,,,,,,,\r\n";
    return head +
           fmt::format(",{},{},{},{},{:.3f},{:.3f},{:.3f},{},{},{},{},{}\r\n",
                       to_string(end.attempt_class), end.score ? fmt::format("{}", *end.score) : "",
                       attempt.counts ? 1 : 0, attempt.tries.size(), end.wall_seconds,
                       end.queue_seconds, end.model_seconds, end.turns, end.usage.prompt_tokens,
                       end.usage.completion_tokens,
                       end.usage.cost ? fmt::format("{:.6f}", *end.usage.cost) : "",
                       csv_field(end.error ? end.error->kind + ": " + end.error->message : ""));
}

} // namespace

std::string export_csv(const Path& file) {
    RunData run = load_run(file);
    std::string out = "suite,agent,model,task,family,attempt,class,score,counts,tries,wall_seconds,"
                      "queue_seconds,model_seconds,turns,prompt_tokens,completion_tokens,cost_usd,"
                      "error\r\n";
    for (std::size_t i = 0; i < run.attempts.size(); ++i) out += csv_row(run, i);
    return out;
}

namespace {

std::string junit_case(const AttemptData& attempt) {
    const TryEnd& end = attempt.row.end;
    std::string out = fmt::format(
        "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\">", html_escape(attempt.row.task),
        html_escape(fmt::format("attempt {}", attempt.row.attempt)), end.wall_seconds);
    if (!attempt.counts)
        out += fmt::format("<error type=\"{}\" message=\"{}\"/>", to_string(end.attempt_class),
                           html_escape(end.error ? end.error->message : "no score"));
    else if (end.score.value_or(0) < 1)
        out += fmt::format("<failure type=\"{}\" message=\"score {:g}\"/>",
                           to_string(end.attempt_class), end.score.value_or(0));
    return out + "</testcase>\n";
}

} // namespace

std::string export_junit(const Path& file) {
    RunData run = load_run(file);
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay\">\n";
    for (const ArmSummary& arm : run.arms) {
        std::string cases;
        std::size_t failures = 0, errors = 0, skipped = 0, all = 0;
        for (std::size_t i = 0; i < run.attempts.size(); ++i) {
            if (run.plan.slots[i].arm != run.plan.arms[arm.arm].id) continue;
            const AttemptData& attempt = run.attempts[i];
            ++all;
            if (attempt.pending) {
                ++skipped;
                cases +=
                    fmt::format("<testcase classname=\"{}\" name=\"attempt {}\"><skipped/>"
                                "</testcase>\n",
                                html_escape(run.plan.slots[i].task), run.plan.slots[i].attempt);
                continue;
            }
            errors += attempt.counts ? 0u : 1u;
            failures += attempt.counts && attempt.row.end.score.value_or(0) < 1 ? 1u : 0u;
            cases += junit_case(attempt);
        }
        out += fmt::format("<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" "
                           "skipped=\"{}\" time=\"{:.3f}\">\n{}</testsuite>\n",
                           html_escape(run.plan.suite + ": " + run.plan.arms[arm.arm].label), all,
                           failures, errors, skipped, arm.wall_seconds, cases);
    }
    return out + "</testsuites>\n";
}

} // namespace assay
