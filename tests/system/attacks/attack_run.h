// A run of hostile attempts, whole: the suite terminal_bench, the agent `tools` with a scripted
// model, real sandboxes, the store. What is asked afterwards is asked of the stored run.
#pragma once

#include "assay/agents/agents.h"
#include "assay/models/models.h"
#include "assay/run/plan.h"
#include "assay/run/run.h"
#include "assay/store/reader.h"
#include "assay/suites/terminal_bench.h"
#include "harbor_task.h"
#include "support.h"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace assay::test {

// The suite without its guards: the tests are there while the agent works.
class EagerSuite final : public Suite {
  public:
    const SuiteInfo& info() const override { return inner_->info(); }
    std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) override {
        return inner_->load(source, filter);
    }
    void prepare(const Task& task, TrialContext& context) override {
        inner_->prepare(task, context);
        context.environment().main().put_folder(
            static_cast<const terminal_bench::HarborTask&>(task).tests(), "/tests",
            context.cancel());
    }
    ScoreResult score(const Task& task, TrialContext& context) override {
        return inner_->score(task, context);
    }

  private:
    std::unique_ptr<Suite> inner_ = make_terminal_bench({});
};

// The data set's tasks with what Harbor's format cannot name: a limit, and the guard on rewards.
class AttackTasks final : public TaskSet {
  public:
    AttackTasks(std::unique_ptr<TaskSet> inner, std::map<std::string, std::uint64_t> pids,
                bool keep_early_rewards)
        : inner_(std::move(inner))
        , pids_(std::move(pids))
        , keep_early_rewards_(keep_early_rewards) {}
    const std::vector<TaskHeader>& headers() const override { return inner_->headers(); }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return inner_->refused();
    }
    TaskRef open(std::size_t index) override {
        TaskRef task = inner_->open(index);
        auto limit = pids_.find(task->header.id);
        auto copy = std::make_shared<terminal_bench::HarborTask>(
            dynamic_cast<const terminal_bench::HarborTask&>(*task));
        if (limit != pids_.end()) copy->environment.sandboxes.front().limits.pids = limit->second;
        copy->keep_early_rewards = keep_early_rewards_;
        return copy;
    }

  private:
    std::unique_ptr<TaskSet> inner_;
    std::map<std::string, std::uint64_t> pids_;
    bool keep_early_rewards_;
};

// The record of one attempt.
struct StoredAttempt {
    TryRow row;
    int tries = 0;
    struct Event {
        EventKind kind{};
        nlohmann::json data;
        std::map<std::string, std::string> texts;
    };
    std::vector<Event> events;
    std::map<std::string, std::string> artifacts;
    std::vector<ScoreRecord> scores;

    // The first event of a kind whose JSON holds the text.
    const Event* find(EventKind kind, std::string_view text) const {
        for (const Event& event : events)
            if (event.kind == kind && event.data.dump().find(text) != std::string::npos)
                return &event;
        return nullptr;
    }
    // What the agent's command number `index` came to.
    const Event& command(std::size_t index) const {
        for (const Event& event : events)
            if (event.kind == EventKind::Exec && index-- == 0) return event;
        throw std::runtime_error("no such command");
    }
    // Everything that was stored of it as text.
    bool holds(std::string_view text) const {
        auto in = [&](const std::map<std::string, std::string>& texts) {
            for (const auto& [name, value] : texts)
                if (value.find(text) != std::string::npos) return true;
            return false;
        };
        if (in(artifacts)) return true;
        for (const Event& event : events)
            if (in(event.texts) || event.data.dump().find(text) != std::string::npos) return true;
        return false;
    }
};

class AttackRun {
  public:
    struct Limits {
        int memory_mb = 0;      // 0: none
        std::uint64_t pids = 0; // 0: the sandbox's own
    };

    // A task whose scripted model runs these commands and then submits.
    void add(const std::string& id, const Limits& limits, const std::vector<std::string>& commands,
             const std::string& test = "echo 0 > /logs/verifier/reward.txt\n") {
        tasks_.push_back(id);
        Path at = folder_.path() / "tasks" / id;
        for (const char* part : {"environment", "tests"}) files_.make_folders(at / part);
        auto write = [&](const char* name, const std::string& text) {
            files_.write(at / name, text, 0644);
        };
        write("instruction.md", "misbehave\n");
        write("environment/Dockerfile", "FROM assay/host\n");
        write("tests/test.sh", test);
        std::string toml = "[environment]\nnetwork_mode = \"no-network\"\n";
        if (limits.memory_mb != 0) toml += "memory_mb = " + std::to_string(limits.memory_mb) + "\n";
        write("task.toml", toml);
        if (limits.pids != 0) pids_[id] = limits.pids;
        auto steps = nlohmann::json::array();
        for (const std::string& command : commands)
            steps.push_back(
                {{"calls",
                  {{{"name", "shell"}, {"arguments", {{"command", command}, {"timeout", 20}}}}}}});
        steps.push_back({{"calls", {{{"name", "submit"}, {"arguments", {{"answer", "x"}}}}}}});
        script_["rules"].push_back({{"task", id}, {"sequence", steps}});
    }
    const std::vector<std::string>& tasks() const { return tasks_; }

    // `guards`: the suite's.
    RunResult run(SandboxBackend& sandboxes, bool guards, const Settings& agent = {}) {
        files_.write(folder_.path() / "script.json", script_.dump(), 0644);
        auto suite = guards ? make_terminal_bench({}) : std::make_unique<EagerSuite>();
        AttackTasks tasks(suite->load(folder_.path() / "tasks", {}), pids_, !guards);
        PlanRequest request;
        request.run = Id::derive("attacks");
        ArmRecord arm_record;
        arm_record.agent = "tools";
        request.arms = {arm_record};
        PlanRecord plan = make_plan(suite->info(), tasks, request);
        auto store = RunStore::create(file_, plan, {});
        Arm arm;
        arm.record = plan.arms[0];
        arm.make_agent = [&] { return make_agent("tools", agent); };
        arm.models["agent"] = make_model("script:" + (folder_.path() / "script.json").string(), {});
        SystemClock clock;
        SilentObserver observer;
        RunParts parts;
        parts.suite = suite.get();
        parts.tasks = &tasks;
        parts.sandboxes = &sandboxes;
        parts.store = store.get();
        parts.clock = &clock;
        parts.observer = &observer;
        parts.arms = {arm};
        RunSettings settings;
        settings.retries = 1;
        settings.retry_wait = Nanoseconds(0);
        settings.capacity.cpus = 2;
        RunResult result = Run(std::move(parts), settings).execute(store->open_slots());
        store->finish_run("complete");
        return result;
    }

    StoredAttempt read(const std::string& id) const {
        auto reader = RunReader::open(file_);
        StoredAttempt out;
        for (TryRow& row : reader->tries(id, 1)) {
            out.tries++;
            out.row = std::move(row);
        }
        reader->events(out.row.row, [&](const EventRow& row) {
            StoredAttempt::Event event{row.kind, nlohmann::json::parse(row.json), {}};
            for (const auto& [name, blob] : row.blobs) event.texts[name] = reader->blob(blob);
            out.events.push_back(std::move(event));
            return true;
        });
        for (const ArtifactRow& artifact : reader->artifacts(out.row.row))
            out.artifacts[artifact.path] = reader->blob(artifact.blob);
        out.scores = reader->scores(out.row.row);
        return out;
    }

  private:
    TempFolder folder_{"assay-attacks"};
    RealFileSystem files_;
    Path file_ = folder_.path() / "run.db";
    nlohmann::json script_ = {{"rules", nlohmann::json::array()}};
    std::vector<std::string> tasks_;
    std::map<std::string, std::uint64_t> pids_;
};

} // namespace assay::test
