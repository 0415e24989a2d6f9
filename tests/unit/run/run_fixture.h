// A suite, an agent and a run over fakes: each test says what the parts do.
#pragma once

#include "assay/run/plan.h"
#include "assay/run/run.h"
#include "assay/sandboxes/null.h"
#include "fake_store.h"
#include "fake_trial.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace assay::test {

class ListedTasks final : public TaskSet {
  public:
    explicit ListedTasks(std::vector<Task> tasks) {
        for (Task& task : tasks) {
            headers_.push_back(task.header);
            tasks_.push_back(std::make_shared<const Task>(std::move(task)));
        }
    }
    const std::vector<TaskHeader>& headers() const override { return headers_; }
    TaskRef open(std::size_t index) override {
        if (on_open) on_open(tasks_.at(index)->header.id);
        return tasks_.at(index);
    }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return refused_;
    }
    std::function<void(const std::string&)> on_open;
    std::vector<std::pair<std::string, std::string>> refused_;

  private:
    std::vector<TaskHeader> headers_;
    std::vector<TaskRef> tasks_;
};

using Step = std::function<void(const Task&, TrialContext&)>;

class StepAgent final : public Agent { // does what the test says
  public:
    StepAgent(Step setup, Step run)
        : setup_(std::move(setup))
        , run_(std::move(run)) {}
    const AgentInfo& info() const override { return info_; }
    void setup(const Task& task, TrialContext& context) override {
        if (setup_) setup_(task, context);
    }
    void run(const Task& task, TrialContext& context) override {
        if (run_) run_(task, context);
    }

  private:
    AgentInfo info_{"step", "1", "", false};
    Step setup_, run_;
};

class StepSuite final : public Suite {
  public:
    const SuiteInfo& info() const override { return info_; }
    std::unique_ptr<TaskSet> load(const Path&, const TaskFilter&) override { return nullptr; }
    void prepare(const Task& task, TrialContext& context) override {
        if (on_prepare) on_prepare(task, context);
    }
    ScoreResult score(const Task& task, TrialContext& context) override {
        ++scored;
        if (on_score) on_score(task, context);
        ScoreResult result;
        result.primary = {"reward", value};
        result.inputs = inputs;
        return result;
    }
    Step on_prepare, on_score;
    double value = 1;
    std::optional<std::map<std::string, Digest>> inputs;
    std::atomic<int> scored = 0;

  private:
    SuiteInfo info_{"steps", "1", "", {{"reward", "", true, true}}};
};

inline Task plain_task(std::string id) {
    Task task;
    task.header = {id, "", "sha256:" + id};
    task.instruction = "do " + id;
    return task;
}

inline std::vector<Task> plain_tasks(int count) {
    std::vector<Task> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(plain_task("t" + std::to_string(i)));
    return tasks;
}

// Everything a Run needs. Change the members, then go().
struct RunFixture {
    explicit RunFixture(std::vector<Task> tasks = plain_tasks(1), int attempts = 1)
        : listed(std::move(tasks)) {
        PlanRequest request;
        request.run = Id::derive("run");
        request.attempts = attempts;
        ArmRecord arm;
        arm.agent = "step";
        request.arms = {arm};
        plan = make_plan(suite.info(), listed, request);
        store = std::make_unique<FakeStore>(plan);
        settings.retry_wait = Nanoseconds(0);
        settings.capacity.cpus = 1000;
    }

    Run& make() {
        if (!backend) backend = make_null_backend(null_options);
        Arm arm;
        arm.record = plan.arms[0];
        arm.make_agent = [this] { return std::make_unique<StepAgent>(agent_setup, agent); };
        arm.models = models;
        RunParts parts;
        parts.suite = &suite;
        parts.tasks = &listed;
        parts.sandboxes = backend.get();
        parts.store = store.get();
        parts.clock = &clock;
        parts.observer = observer;
        parts.redactor = &redactor;
        parts.arms = {arm};
        run = std::make_unique<Run>(std::move(parts), settings);
        return *run;
    }
    RunResult go() { return make().execute(store->open_slots()); }
    FakeTry only_try() {
        auto all = store->tries();
        REQUIRE(all.size() == 1);
        REQUIRE(all[0].finished);
        return all[0];
    }

    ListedTasks listed;
    StepSuite suite;
    PlanRecord plan;
    std::unique_ptr<FakeStore> store;
    NullOptions null_options;
    std::unique_ptr<SandboxBackend> backend; // set it, or have the null one
    Step agent_setup, agent;
    std::map<std::string, std::shared_ptr<Model>, std::less<>> models;
    RunSettings settings;
    SystemClock clock;
    SilentObserver silent;
    RunObserver* observer = &silent;
    Redactor redactor;
    std::unique_ptr<Run> run;
};

} // namespace assay::test
