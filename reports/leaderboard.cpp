#include "assay/base/capture.h"
#include "assay/base/text.h"
#include "assay/reports/report.h"
#include "run_data.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

namespace {

std::string percent(std::optional<double> value) {
    return value ? fmt::format("{:.1f}", *value * 100) : "-";
}

std::string class_counts(const ArmSummary& arm) {
    std::string out;
    for (std::size_t c = 0; c < kClasses; ++c) {
        if (arm.classes[c] == 0) continue;
        if (!out.empty()) out += ", ";
        out += fmt::format("{} {}", arm.classes[c], class_label(static_cast<AttemptClass>(c)));
    }
    if (arm.pending > 0) out += fmt::format("{}{} pending", out.empty() ? "" : ", ", arm.pending);
    return out;
}

std::size_t columns_of(const std::string& text) { // code points: near enough for our own texts
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> width;
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (width.size() <= i) width.push_back(0);
            width[i] = std::max(width[i], columns_of(row[i]));
        }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(width[i] - columns_of(row[i]) + 2, ' ');
        while (!line.empty() && line.back() == ' ') line.pop_back();
        out += line + "\n";
    }
    return out;
}

} // namespace

std::string leaderboard_text(const std::vector<Path>& runs) {
    std::vector<std::vector<std::string>> rows = {
        {"suite", "arm", "score %", "se tasks fixed", "se tasks sampled", "attempts", "official"}};
    for (const Path& file : runs) {
        RunData run = load_run(file);
        for (const ArmSummary& arm : run.arms)
            rows.push_back({run.plan.suite, run.plan.arms[arm.arm].label, percent(arm.score),
                            percent(arm.se_conditional), percent(arm.se_generalising),
                            class_counts(arm),
                            !run.official || !arm.score ? "-"
                            : arm.deviations.empty()    ? "yes"
                                                        : "no"});
    }
    return table(rows);
}

std::vector<std::string> findings(const Path& file) {
    RunData run = load_run(file);
    std::vector<std::string> out;
    for (const std::string& task : run.broken_tasks)
        out.push_back("broken task: " + task + ": its own solution scored 0");
    const TryRow* first = nullptr;
    std::size_t parted = 0;
    for (const AttemptData& attempt : run.attempts) {
        const auto& error = attempt.row.end.error;
        if (attempt.pending || !error || error->kind != "model/replay-mismatch") continue;
        if (++parted == 1) first = &attempt.row;
    }
    if (first != nullptr)
        out.push_back(fmt::format("replay mismatch: {} attempts parted from the recording, first "
                                  "{}#{}: {}",
                                  parted, first->task, first->attempt,
                                  cut_middle(first->end.error->message, 600)));
    return out;
}

} // namespace assay
