// An agent: drives a model (or not) through one task.
#pragma once

#include "assay/api/task.h"
#include "assay/api/trial.h"

#include <string>

namespace assay {

struct AgentInfo {
    std::string name;
    std::string version;
    std::string description;
    bool needs_model = true;
};

class Agent {
  public:
    virtual ~Agent() = default; // one object per trial
    virtual const AgentInfo& info() const = 0;
    // Installs what it needs; its time is not the agent's time. Failures are infrastructure errors.
    virtual void setup(const Task& task, TrialContext& context);
    // Returns when done. Throws Interrupted at a limit, Error(Agent) if the model broke the
    // protocol beyond repair, ModelError or Error(Sandbox) if the infrastructure failed.
    virtual void run(const Task& task, TrialContext& context) = 0;
};

} // namespace assay
