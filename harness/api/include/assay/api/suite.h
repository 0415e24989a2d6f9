// A suite: loads tasks, says what they need, scores. One folder under suites/, see suites/example.
#pragma once

#include "assay/api/task.h"
#include "assay/api/trial.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct Metric {
    std::string name;
    double value = 0;
};

struct ScoreResult {
    Metric primary;
    std::vector<Metric> others;
    std::string explanation;             // for people; may be long
    std::vector<std::string> deviations; // from the official procedure
    std::string details = "{}";          // JSON object, for reports
    // All that the scorer looked at beside the task, by name: what its input hash is made of.
    // Absent: it worked in the agent's sandbox, where it may have looked at anything.
    std::optional<std::map<std::string, Digest>> inputs = {};
};

struct Measurement {  // a timed kernel, with its raw samples
    std::string name; // "gemm/m=512,n=512,k=512"
    std::string unit; // "s"
    std::vector<double> samples;
    std::string facts = "{}"; // JSON: achieved, peak, flags, hardware
};

struct MetricDefinition {
    std::string name;
    std::string description;
    bool higher_is_better = true;
    bool primary = false;
    bool official = false; // a published benchmark's own number, if --tasks names its tasks
};

// Free settings from the command line or a config file, e.g. {"verifier": "compat"}.
using Settings = std::map<std::string, std::string>;
using SettingList = std::vector<std::pair<std::string, std::string>>; // key, one sentence

// Throws Error(Usage) for a key that is not in the list; `owner` is "agent tools".
void check_settings(std::string_view owner, const SettingList& known, const Settings& given);

struct SuiteInfo {
    std::string name;    // "terminal_bench"
    std::string version; // of our scorer; a change of any score changes it
    std::string description;
    std::vector<MetricDefinition> metrics;
    bool needs_judge = false; // the scorer asks the model of the role "judge"
    SettingList settings = {};
};

class Suite {
  public:
    virtual ~Suite() = default;
    virtual const SuiteInfo& info() const = 0;

    // `source` is the --tasks path; empty: the suite's own samples. Errors name file and line.
    virtual std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) = 0;

    // Tools that the task gives the agent; called after the environment has started, in the phase
    // agent_setup. The default: none.
    virtual std::unique_ptr<ToolSet> tools(const Task& task, TrialContext& context);

    // Copies what the task wants into the environment before the agent runs. The default: nothing.
    virtual void prepare(const Task& task, TrialContext& context);

    // The reference solution, run by the agent "oracle" in the agent phase. The default throws
    // Error(Unsupported).
    virtual void solve(const Task& task, TrialContext& context);

    // Called after the agent has ended, whatever its end, unless the environment is lost. Throws
    // Error(Verifier) if there is no usable score: that is never counted against the model.
    virtual ScoreResult score(const Task& task, TrialContext& context) = 0;
};

} // namespace assay
