// One try of one slot: the phases, their deadlines and what they mean for the class. It is also the
// TrialContext that agent and scorer see. Runs on the calling thread.
#pragma once

#include "assay/api/trial.h"
#include "assay/run/classify.h"
#include "assay/run/gate.h"
#include "assay/run/run.h"
#include "budget.h"
#include "recording_model.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace assay {

struct TrialParts {
    const RunParts& run;
    const RunSettings& settings;
    PhaseGate& gate;
    CostMeter& meter;
    const Arm& arm;
    const SlotRecord& slot;
    TryWriter& writer;
    std::function<TaskRef()> open_task; // may throw: a broken task is an error of this try alone
    Cancel cancel;                      // of the try; a child of the run's
};

struct TrialResult {
    TryEnd end;
    bool retry = false; // an infrastructure error that another try may not have
};

class Trial final : public TrialContext {
  public:
    explicit Trial(TrialParts parts);
    ~Trial() override;
    TrialResult run();

    Environment& environment() override;
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec) override;
    std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec,
                                                 std::shared_ptr<Checkpoint> from) override;
    Model& model(std::string_view role) override;
    bool has_model(std::string_view role) const override;
    ToolSet& tools() override { return *tools_; }
    Suite& suite() override { return *parts_.run.suite; }
    EventSink& events() override { return parts_.writer; }
    BlobStore& blobs() override { return parts_.run.store->blobs(); }
    const Cancel& cancel() const override { return phase_cancel_; }
    const Clock& clock() const override { return *parts_.run.clock; }
    int attempt() const override { return parts_.slot.attempt; }
    SeedKey seed_key(std::string_view role) override;
    Random& secret_random() override { return random_; }
    const std::map<std::string, std::string>& agent_settings() const override {
        return parts_.arm.agent_settings;
    }
    void submit(std::string text) override;
    const std::string& submission() const override { return submission_; }
    void artifact(std::string_view path, std::string_view bytes,
                  std::string_view media_type) override;
    void measure(const Measurement& measurement) override {
        parts_.writer.measurement(measurement);
    }
    std::unique_ptr<ExclusiveHold> exclusive() override;

  private:
    friend class TrialExclusive;
    RecordingModel& recording(std::string_view role);
    void wait_for_model(bool begins);
    void run_phases();
    bool set_up();
    void run_agent();
    bool collect();
    void take_usage();
    void keep_layer();
    void verify();
    void clean_up();
    // Runs the body as a phase: waits for the gate, sets the deadline, times, records, explains.
    PhaseOutcome phase(std::string_view name, Stage stage, std::optional<Nanoseconds> limit,
                       const std::function<void()>& body);
    PhaseOutcome timed(std::string_view name, Stage stage, const std::function<void()>& body);
    void enter_gate(const Cancel& cancel); // counts the wait
    void blame_memory(PhaseOutcome& outcome, Stage stage);
    void set_deadline(Cause cause, Nanoseconds limit, std::string detail); // of this phase
    bool failed(const PhaseOutcome& outcome);                              // true: the try is over
    std::optional<Nanoseconds> scaled(const std::optional<Nanoseconds>& mine,
                                      const std::optional<Nanoseconds>& task) const;
    Budget budget_of() const;
    void check_needs();
    void start_environment();
    void keep_score(const ScoreResult& result);
    std::vector<std::string> run_deviations() const; // from the official procedure
    TryEnd finish();
    std::string environment_json();
    EnvironmentSpec owned(EnvironmentSpec spec) const;

    TrialParts parts_;
    TaskRef task_;
    std::unique_ptr<TryBudget> budget_;
    Cancel phase_cancel_;
    std::vector<Cancel> phase_clocks_; // its deadlines, to be stopped while we queue
    PhaseGate::Share share_;
    bool exclusive_ = false;
    std::unique_ptr<Quiet> quiet_; // while exclusive
    std::unique_ptr<Environment> environment_;
    std::unique_ptr<ToolSet> tools_;
    std::unique_ptr<Agent> agent_;
    std::map<std::string, std::unique_ptr<RecordingModel>, std::less<>> models_;
    std::mutex models_mutex_; // models_, waiting_calls_
    int waiting_calls_ = 0;
    SystemRandom random_;
    std::string submission_;
    std::optional<Digest> layer_; // of its content, if it was kept

    TryEnd end_;
    std::string environment_facts_ = "{}";
    bool infrastructure_ = false, cancelled_ = false, retry_ = false;
    double queue_seconds_ = 0;       // of this try, in our own queues
    double phase_queue_seconds_ = 0; // of the current phase
    MonoTime began_;
    std::optional<MonoTime> environment_began_;
};

} // namespace assay
