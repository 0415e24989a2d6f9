// A TrialContext for tests: everything is in memory and can be looked at afterwards.
//
//   FakeTrial trial;
//   trial.models["agent"] = std::make_unique<FakeModel>();
//   make_agent("tools")->run(task, trial);
//   REQUIRE(trial.submission() == "42");
//   REQUIRE(trial.sink.count(EventKind::ToolCall) == 1);
#pragma once

#include "assay/api/suite.h"
#include "assay/api/trial.h"
#include "fake_sandbox.h"

#include <deque>
#include <functional>

namespace assay::test {

class MemoryBlobs final : public BlobStore {
  public:
    BlobRef put(std::string_view bytes, std::string_view media_type) override {
        BlobRef ref{sha256(bytes), bytes.size(), std::string(media_type)};
        std::lock_guard lock(mutex_);
        blobs_[ref.hash] = std::string(bytes);
        return ref;
    }
    std::string get(const BlobRef& ref) override {
        std::lock_guard lock(mutex_);
        auto found = blobs_.find(ref.hash);
        if (found == blobs_.end()) throw Error(ErrorKind::Input, "no blob " + ref.hash.hex());
        return found->second;
    }

  private:
    std::mutex mutex_;
    std::map<Digest, std::string> blobs_;
};

struct FakeEvent {
    EventKind kind{};
    std::string json{};
    std::vector<std::pair<std::string, BlobRef>> blobs{};
    std::optional<std::int64_t> span{}; // place of the event that opened it
};

inline FakeEvent fake_event(std::optional<std::int64_t> span, EventKind kind, std::string json,
                            const std::vector<EventBlob>& blobs) {
    FakeEvent event{kind, std::move(json), {}, span};
    for (const EventBlob& blob : blobs) event.blobs.emplace_back(blob.name, blob.blob);
    return event;
}

class FakeSink final : public EventSink {
  public:
    std::vector<FakeEvent> all() const {
        std::lock_guard lock(mutex_);
        return events_;
    }
    int count(EventKind kind) const {
        int n = 0;
        for (const FakeEvent& event : all()) n += event.kind == kind ? 1 : 0;
        return n;
    }
    // Whether some event of the kind has the text in its JSON.
    bool has(EventKind kind, std::string_view text) const {
        for (const FakeEvent& event : all())
            if (event.kind == kind && event.json.find(text) != std::string::npos) return true;
        return false;
    }

  protected:
    std::int64_t write(std::optional<std::int64_t> span, EventKind kind, std::string json,
                       std::vector<EventBlob> blobs) override {
        std::lock_guard lock(mutex_);
        events_.push_back(fake_event(span, kind, std::move(json), blobs));
        return std::ssize(events_) - 1;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<FakeEvent> events_;
};

// Answers from a queue, then from `otherwise`; keeps the requests.
class FakeModel final : public Model {
  public:
    using Answer = std::function<Completion(const CompletionRequest&)>;

    std::string name() const override { return "fake"; }
    ModelCapabilities capabilities() const override { return can; }
    std::string connection_key() const override { return "fake"; }
    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        cancel.check();
        std::unique_lock lock(mutex_);
        requests.push_back(request);
        Answer answer = otherwise;
        if (!queue_.empty()) {
            answer = std::move(queue_.front());
            queue_.pop_front();
        }
        int number = ++calls_;
        lock.unlock();
        if (!answer)
            throw ModelError(ModelFault::Fatal,
                             "fake model: no answer left for call " + std::to_string(number));
        Completion completion = answer(request);
        if (completion.id == Id{}) completion.id = Id::derive("fake/" + std::to_string(number));
        if (sink) sink({Delta::Kind::Text, completion.message.text()});
        return completion;
    }

    FakeModel& then(Answer answer) {
        queue_.push_back(std::move(answer));
        return *this;
    }
    FakeModel& say(std::string text, Finish finish = Finish::Stop) {
        return then([text = std::move(text), finish](const CompletionRequest&) {
            Completion c;
            c.message = {Role::Assistant, {TextPart{text}}};
            c.finish = finish;
            c.usage.prompt_tokens = 10;
            c.usage.completion_tokens = 5;
            return c;
        });
    }
    FakeModel& call(std::string tool, std::string arguments, std::string id = "c1") {
        return then([=](const CompletionRequest&) {
            Completion c;
            c.message = {Role::Assistant, {ToolCall{id, tool, arguments}}};
            c.finish = Finish::ToolCalls;
            return c;
        });
    }
    FakeModel& fail(ModelFault fault, std::string message = "planned",
                    std::optional<double> retry_after = std::nullopt) {
        return then([=](const CompletionRequest&) -> Completion {
            throw ModelError(fault, message, retry_after);
        });
    }

    std::vector<CompletionRequest> requests;
    Answer otherwise;
    ModelCapabilities can{true, true, true, false, false, true, std::nullopt};

  private:
    std::mutex mutex_;
    std::deque<Answer> queue_;
    int calls_ = 0;
};

// Scores 1 if something was submitted.
class FakeSuite final : public Suite {
  public:
    const SuiteInfo& info() const override { return about; }
    std::unique_ptr<TaskSet> load(const Path&, const TaskFilter&) override { return nullptr; }
    void solve(const Task& task, TrialContext& context) override {
        if (!on_solve) return Suite::solve(task, context);
        on_solve(task, context);
    }
    ScoreResult score(const Task&, TrialContext& context) override {
        ScoreResult result;
        result.primary = {"reward", context.submission().empty() ? 0.0 : 1.0};
        return result;
    }

    SuiteInfo about{"fake", "1", "a suite for tests", {{"reward", "", true, true}}};
    std::function<void(const Task&, TrialContext&)> on_solve;
};

class FakeTrial : public TrialContext {
  public:
    explicit FakeTrial(std::string task = "task")
        : task_(std::move(task)) {}

    Environment& environment() override {
        if (real_environment) return *real_environment;
        return fake_environment;
    }
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec) override {
        return std::make_unique<FakeEnvironment>(spec);
    }
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec,
                                                 std::shared_ptr<Checkpoint> from) override {
        return FakeBackend().start_from(spec, std::move(from), stop);
    }
    Model& model(std::string_view role) override {
        auto found = models.find(std::string(role));
        if (found == models.end())
            throw Error(ErrorKind::Usage, "no model for the role '" + std::string(role) + "'");
        return *found->second;
    }
    bool has_model(std::string_view role) const override {
        return models.count(std::string(role)) != 0;
    }
    ToolSet& tools() override { return suite_tools; }
    Suite& suite() override { return fake_suite; }
    EventSink& events() override { return sink; }
    BlobStore& blobs() override { return memory; }
    const Cancel& cancel() const override { return stop; }
    const Clock& clock() const override { return time; }
    int attempt() const override { return 1; }
    SeedKey seed_key(std::string_view role) override {
        SeedKey key;
        key.seed = 7;
        key.task = task_;
        key.role = std::string(role);
        key.turn = turns_[key.role]++;
        return key;
    }
    Random& secret_random() override { return random; }
    const std::map<std::string, std::string>& agent_settings() const override { return settings; }
    void submit(std::string text) override { submitted = std::move(text); }
    const std::string& submission() const override { return submitted; }
    void artifact(std::string_view path, std::string_view bytes, std::string_view) override {
        artifacts[std::string(path)] = std::string(bytes);
    }
    void measure(const Measurement& measurement) override { measurements.push_back(measurement); }
    std::unique_ptr<ExclusiveHold> exclusive() override {
        return std::make_unique<ExclusiveHold>();
    }

    // The model of a role as a FakeModel, made on first use.
    FakeModel& fake_model(const std::string& role = "agent") {
        auto& slot = models[role];
        if (!slot) slot = std::make_unique<FakeModel>();
        return dynamic_cast<FakeModel&>(*slot);
    }
    FakeSandbox& sandbox() { return fake_environment.fake_main(); }

    std::unique_ptr<Environment> real_environment; // instead of the fake one, if set
    FakeEnvironment fake_environment;
    std::map<std::string, std::unique_ptr<Model>> models;
    OwnedToolSet suite_tools;
    FakeSuite fake_suite;
    FakeSink sink;
    MemoryBlobs memory;
    Cancel stop;
    SystemClock time;
    CounterRandom random{1};
    std::map<std::string, std::string> settings;
    std::string submitted;
    std::map<std::string, std::string> artifacts;
    std::vector<Measurement> measurements;

  private:
    std::string task_;
    std::map<std::string, int> turns_;
};

} // namespace assay::test
