#include "bench_parts.h"

#include "assay/agents/agents.h"
#include "assay/models/models.h"
#include "assay/run/plan.h"
#include "assay/sandboxes/null.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>

namespace assay {

namespace {

class NullTasks final : public TaskSet {
  public:
    explicit NullTasks(int count) {
        for (int i = 0; i < count; ++i) {
            TaskHeader header;
            header.id = "null-" + std::to_string(i);
            headers_.push_back(std::move(header));
        }
    }
    const std::vector<TaskHeader>& headers() const override { return headers_; }
    TaskRef open(std::size_t index) override {
        auto task = std::make_shared<Task>();
        task->header = headers_.at(index);
        task->instruction = "Run the command true until there is nothing left to do.";
        return task;
    }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return refused_;
    }

  private:
    std::vector<TaskHeader> headers_;
    std::vector<std::pair<std::string, std::string>> refused_;
};

class NullSuite final : public Suite {
  public:
    const SuiteInfo& info() const override { return info_; }
    std::unique_ptr<TaskSet> load(const Path&, const TaskFilter&) override { return nullptr; }
    ScoreResult score(const Task&, TrialContext&) override {
        return {{"reward", 1}, {}, "", {}, "{}"};
    }

  private:
    SuiteInfo info_{"null", "1", "", {{"reward", "", true, true}}};
};

class NullBlobs final : public BlobStore { // names bytes, keeps none
  public:
    BlobRef put(std::string_view bytes, std::string_view media_type) override {
        return {sha256(bytes), bytes.size(), std::string(media_type)};
    }
    std::string get(const BlobRef& ref) override {
        throw Error(ErrorKind::Input, "no blob " + ref.hash.hex());
    }
};

class NullWriter final : public TryWriter {
  public:
    explicit NullWriter(const Id& slot)
        : id_(try_id(slot, 1)) {}
    const Id& id() const override { return id_; }
    int number() const override { return 1; }
    void call(CallRecord) override {}
    void phase(PhaseRecord) override {}
    void score(ScoreRecord) override {}
    void artifact(std::string_view, const BlobRef&) override {}
    void measurement(const Measurement&) override {}
    void finish(TryEnd) override {}

  protected:
    std::int64_t write(std::optional<std::int64_t>, EventKind, std::string,
                       std::vector<EventBlob>) override {
        return events_++;
    }

  private:
    Id id_;
    std::atomic<std::int64_t> events_{0};
};

class NullStore final : public RunStore {
  public:
    explicit NullStore(PlanRecord plan)
        : plan_(std::move(plan)) {}
    bool live_readers() const override { return false; }
    const PlanRecord& plan() const override { return plan_; }
    BlobStore& blobs() override { return blobs_; }
    std::vector<SlotRecord> open_slots() override { return plan_.slots; }
    std::unique_ptr<TryWriter> begin_try(const Id& slot) override {
        return std::make_unique<NullWriter>(slot);
    }
    void environment(std::string_view) override {}
    void connection_changed(const ConnectionChange&) override {}
    void audit(std::string_view, std::string_view, std::string_view) override {}
    void price(std::string_view, std::string_view) override {}
    void flush() override {}
    void finish_run(std::string_view) override {}

  private:
    PlanRecord plan_;
    NullBlobs blobs_;
};

} // namespace

PlanRecord null_plan(int trials) {
    NullSuite suite;
    PlanRequest request;
    SystemRandom random;
    request.run = Id::random(random);
    request.arms.resize(1);
    request.arms[0].agent = "tools";
    request.arms[0].model = "null";
    return make_plan(suite.info(), NullTasks(trials), std::move(request));
}

std::unique_ptr<RunStore> make_null_store(PlanRecord plan) {
    return std::make_unique<NullStore>(std::move(plan));
}

double execute_null_run(const NullRun& null_run, RunStore& store) {
    NullSuite suite;
    NullTasks tasks(null_run.trials);
    auto sandboxes = make_null_backend();
    SystemClock clock;
    SilentObserver silent;
    RunParts parts;
    parts.suite = &suite;
    parts.tasks = &tasks;
    parts.sandboxes = sandboxes.get();
    parts.store = &store;
    parts.clock = &clock;
    parts.observer = null_run.observer != nullptr ? null_run.observer : &silent;
    Arm arm;
    arm.record = store.plan().arms.at(0);
    arm.make_agent = [] { return make_agent("tools"); };
    arm.models["agent"] = null_run.model;
    if (!null_run.model)
        arm.models["agent"] = make_model("null:turns=" + std::to_string(null_run.turns - 1), {});
    parts.arms = {arm};
    RunSettings settings;
    settings.jobs = null_run.jobs;
    settings.capacity.cpus = 1e9;
    settings.capacity.sandboxes = 1'000'000;
    auto began = std::chrono::steady_clock::now();
    Run run(std::move(parts), settings);
    RunResult result = run.execute(store.open_slots());
    if (result.scored != static_cast<std::size_t>(null_run.trials))
        throw Error(ErrorKind::Internal, "the null run did not end as it should");
    return seconds(std::chrono::steady_clock::now() - began);
}

} // namespace assay
