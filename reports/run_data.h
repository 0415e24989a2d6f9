// A run as the reports see it: attempts with their accepted (else last) try, and a summary per arm.
#pragma once

#include "assay/store/reader.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace assay {

inline constexpr std::size_t kClasses = 6; // of AttemptClass, in its order

struct AttemptData {
    TryRow row;                // the accepted try, else the last one; row.row == 0: not started
    std::vector<TryRow> tries; // all, by number
    std::vector<ScoreRecord> scores;
    bool counts = false;  // its score enters the means
    bool pending = false; // no finished try yet
};

struct ArmSummary {
    std::size_t arm = 0; // index into the plan's arms
    std::size_t tasks = 0, attempts = 0, pending = 0, retries = 0;
    int k = 0; // attempts planned per task
    std::array<std::size_t, kClasses> classes{};
    std::optional<double> score;           // mean over tasks of the task's mean; errors left out
    std::optional<double> score_errors_0;  // as the official harnesses count: errors are 0
    std::optional<double> se_conditional;  // tasks fixed; needs 2 attempts of each task
    std::optional<double> se_generalising; // tasks are a sample, clustered by family
    std::optional<double> pass_at_k, pass_hat_k; // k as planned; only if every task has k attempts
    std::vector<std::pair<std::string, double>> others; // means of the other metrics
    Usage usage;
    double wall_seconds = 0, model_seconds = 0, sandbox_seconds = 0;
    std::vector<std::string> deviations; // union over its scores
};

struct RunData {
    std::string file;
    PlanRecord plan;
    RunSummary summary;
    std::vector<std::string> environments;
    std::vector<AttemptData> attempts; // one a slot, in the plan's order
    std::vector<ArmSummary> arms;
    std::vector<std::string> broken_tasks; // whose own solution, run by the agent oracle, scored 0
    std::string primary;                   // name of the primary metric
    bool official = false; // a score without deviations is the benchmark's own number
    std::unique_ptr<RunReader> reader;
};

RunData load_run(const Path& file);
bool counts_in_score(AttemptClass c);         // scored, agent failure, limit
std::string_view class_label(AttemptClass c); // for people: "agent failure"

} // namespace assay
