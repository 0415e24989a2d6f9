// Whose fault it was: from exceptions to the class of an attempt.
//
// | thrown in the agent phase                    | agent ends   | verified | class              |
// |----------------------------------------------|--------------|----------|--------------------|
// | nothing                                      | done         | yes      | scored             |
// | Interrupted by a deadline or budget          | limit        | yes      | limit              |
// | Error(Agent)                                 | error        | yes      | agent failure      |
// | ModelError context-overflow, refused         | error        | yes      | agent failure      |
// | any other ModelError, SandboxLost, Error     | error        | no       | infrastructure     |
// | Interrupted by the user, --max-cost, abort   | cancelled    | no       | cancelled          |
//
// Before the agent every failure is infrastructure, deadlines included. While verifying,
// Error(Verifier), the verifier's deadline and a judge that refuses are verifier errors; the rest
// is infrastructure. A sandbox lost to its own memory limit is the agent's or the verifier's
// failure, by the phase (Trial::blame_memory). An infrastructure or verifier error never carries a
// score.
#pragma once

#include "assay/base/cancel.h"
#include "assay/store/records.h"

#include <exception>
#include <optional>
#include <string>

namespace assay {

enum class Stage { Setup, Agent, Verify };
enum class Outcome { Done, Limit, AgentFault, VerifierFault, Infrastructure, Cancelled };

struct PhaseOutcome {
    Outcome outcome = Outcome::Done;
    std::string detail;               // "deadline", "turns", "model/context-overflow", ...
    std::optional<ErrorRecord> error; // absent for Done; for Limit says which
    bool retry = false;               // another try may go better
};

// What the exception means in that stage. `interrupted` is the phase's own reason if it has one:
// errors that a cancelled call dies of are the cancellation's, but a lost sandbox is itself.
PhaseOutcome explain(const std::exception_ptr& thrown, Stage stage,
                     const std::optional<CancelReason>& interrupted);

ErrorRecord error_record(const std::exception_ptr& thrown);

AttemptClass classify(AgentEnd agent, VerifyEnd verify, bool infrastructure, bool cancelled);
bool is_accepted(AttemptClass attempt_class);

} // namespace assay
