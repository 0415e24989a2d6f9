// A run: takes slots, runs each as a trial until it has a result, stores everything.
//
//   Run run(parts, settings);
//   RunResult result = run.execute(store.open_slots());   // blocks; one thread a job
//   run.drain();      // from another thread: begin nothing new, let the running ones finish
//   run.stop(Cause::User, "Ctrl-C");                      // break off
//
// docs/running.md tells the states of a trial and how its class follows from them. A try is
// *accepted* as the slot's result if it ended as scored, agent failure or limit. Infrastructure
// errors are retried here; what is not accepted is what a resume runs again.
#pragma once

#include "assay/api/agent.h"
#include "assay/api/environment.h"
#include "assay/api/model.h"
#include "assay/api/suite.h"
#include "assay/base/clock.h"
#include "assay/base/random.h"
#include "assay/base/redact.h"
#include "assay/run/admission.h"
#include "assay/run/observer.h"
#include "assay/store/store.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct Arm { // an ArmRecord brought to life
    ArmRecord record;
    Settings agent_settings;
    std::function<std::unique_ptr<Agent>()> make_agent;                // one for each try
    std::map<std::string, std::shared_ptr<Model>, std::less<>> models; // by role
};

struct RunParts { // all borrowed for the life of the Run
    Suite* suite = nullptr;
    TaskSet* tasks = nullptr;
    SandboxBackend* sandboxes = nullptr;
    RunStore* store = nullptr;
    const Clock* clock = nullptr;
    RunObserver* observer = nullptr;
    Redactor* redactor = nullptr; // learns the secrets in task environments; may be nullptr
    std::vector<Arm> arms;
};

struct RunSettings {
    int jobs = 2;
    int retries = 2;                          // after infrastructure errors
    Nanoseconds retry_wait = from_seconds(1); // doubles each time, up to a minute
    double timeout_multiplier = 1;            // of every phase limit
    bool net_clock = false;                   // limits do not count waits in queues of ours
    PhaseLimits limits;                       // where set: instead of the task's
    Budget budget;                            // where set: instead of the task's
    std::optional<double> max_cost;           // of the whole run
    double cost_so_far = 0;                   // of earlier starts
    std::optional<std::uint64_t> keep_layer;  // bytes; keep the agent's layer, up to this
    std::uint64_t seed = 0;
    Capacity capacity;
};

class Run {
  public:
    Run(RunParts parts, RunSettings settings);
    ~Run();
    // Throws if the store fails (disk full): what was committed stays, and a resume goes on.
    RunResult execute(const std::vector<SlotRecord>& slots);
    void drain();
    void stop(Cause cause, std::string detail);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
