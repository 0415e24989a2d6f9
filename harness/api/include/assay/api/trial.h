// What a trial gives its agent and its scorer. It fills while they run, so that a time-out keeps
// what was done. Implemented by harness/run; tests use tests/support/fake_trial.h.
#pragma once

#include "assay/api/content.h"
#include "assay/api/environment.h"
#include "assay/api/events.h"
#include "assay/api/model.h"
#include "assay/api/task.h"
#include "assay/api/tool.h"
#include "assay/base/random.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

class Suite;
struct Measurement;

class ExclusiveHold { // released by the destructor
  public:
    virtual ~ExclusiveHold() = default;
};

class TrialContext {
  public:
    virtual ~TrialContext() = default;

    virtual Environment& environment() = 0;
    // A fresh, sealed one (the separate verifier); it is stopped by the destructor.
    virtual std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec) = 0;
    // From a checkpoint of the trial's own environment.
    virtual std::unique_ptr<Environment> new_environment(const EnvironmentSpec& spec,
                                                         std::shared_ptr<Checkpoint> from) = 0;

    // "agent", "judge", "user". Throws Error(Usage) if the run has none for the role. Calls are
    // recorded, retried and counted against the budgets.
    virtual Model& model(std::string_view role) = 0;
    virtual bool has_model(std::string_view role) const = 0;
    virtual ToolSet& tools() = 0; // the suite's, perhaps empty
    virtual Suite& suite() = 0;

    virtual EventSink& events() = 0;
    virtual BlobStore& blobs() = 0;
    virtual const Cancel& cancel() const = 0; // of the current phase
    virtual const Clock& clock() const = 0;
    virtual int attempt() const = 0;                     // from 1
    virtual SeedKey seed_key(std::string_view role) = 0; // turn counts up per role
    virtual Random& secret_random() = 0;                 // unknown to the inside, not repeatable
    virtual const std::map<std::string, std::string>& agent_settings() const = 0;

    // The answer, for suites that score a text. The last one counts.
    virtual void submit(std::string text) = 0;
    virtual const std::string& submission() const = 0;

    virtual void artifact(std::string_view path, std::string_view bytes,
                          std::string_view media_type) = 0;
    virtual void measure(const Measurement& measurement) = 0;

    // Waits until no other trial runs anything, then keeps it so: for timed kernels. The wait
    // counts as queue time and stops the phase's clock.
    virtual std::unique_ptr<ExclusiveHold> exclusive() = 0;
};

// Calls a tool as an agent should: parses the arguments, records call and result, turns whatever
// the model did wrong (unknown tool, malformed JSON, tool error) into a result it can read.
ToolResult call_tool(Tool* tool, const ToolCall& call, TrialContext& context);

// exec in the environment's main sandbox, recorded as an event.
ExecResult recorded_exec(Sandbox& sandbox, const std::vector<std::string>& argv,
                         const ExecOptions& options, TrialContext& context);

} // namespace assay
