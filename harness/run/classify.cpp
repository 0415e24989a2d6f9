#include "assay/run/classify.h"

#include "assay/api/model.h"
#include "assay/api/sandbox.h"
#include "assay/base/error.h"

namespace assay {

namespace {

std::string trace_of(const Error& error) {
    std::string text;
    for (const std::string& frame : error.frames()) text += "while " + frame + "\n";
    if (!error.hint().empty()) text += "hint: " + error.hint() + "\n";
    return text;
}

bool worth_a_retry(ModelFault fault) {
    switch (fault) {
    case ModelFault::Retry:
    case ModelFault::Overload:
    case ModelFault::Timeout:
        return true;
    default:
        return false;
    }
}

bool model_gave_up(ModelFault fault) { // the model's own doing: the attempt stands as it is
    return fault == ModelFault::ContextOverflow || fault == ModelFault::Refused;
}

PhaseOutcome from_interruption(const CancelReason& why, Stage stage) {
    std::string cause(to_string(why.cause));
    PhaseOutcome out;
    out.detail = cause;
    out.error = ErrorRecord{cause, why.detail, ""};
    if (why.cause == Cause::SandboxLost || (stage == Stage::Setup && is_limit(why.cause))) {
        out.outcome = Outcome::Infrastructure;
        out.retry = true;
    } else if (!is_limit(why.cause)) {
        out.outcome = Outcome::Cancelled;
    } else {
        out.outcome = stage == Stage::Agent ? Outcome::Limit : Outcome::VerifierFault;
    }
    return out;
}

PhaseOutcome from_model_error(const ModelError& error, Stage stage) {
    if (stage == Stage::Setup || !model_gave_up(error.fault()))
        return {Outcome::Infrastructure, {}, {}, worth_a_retry(error.fault())};
    return {stage == Stage::Agent ? Outcome::AgentFault : Outcome::VerifierFault, {}, {}, false};
}

PhaseOutcome from_error(const Error& error, Stage stage) {
    switch (error.kind()) {
    case ErrorKind::Agent:
        if (stage == Stage::Agent) return {Outcome::AgentFault, {}, {}, false};
        break;
    case ErrorKind::Verifier:
        if (stage == Stage::Verify) return {Outcome::VerifierFault, {}, {}, false};
        break;
    case ErrorKind::Sandbox:
    case ErrorKind::Io:
        return {Outcome::Infrastructure, {}, {}, true};
    default:
        break;
    }
    return {Outcome::Infrastructure, {}, {}, false};
}

} // namespace

ErrorRecord error_record(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const Interrupted& e) {
        return {std::string(to_string(e.reason().cause)), e.reason().detail, ""};
    } catch (const SandboxLost& e) {
        return {"sandbox/lost", e.message(), trace_of(e)};
    } catch (const StartError& e) {
        return {"sandbox/start", e.message(), trace_of(e)};
    } catch (const ModelError& e) {
        return {"model/" + std::string(to_string(e.fault())), e.message(), trace_of(e)};
    } catch (const Error& e) {
        return {std::string(to_string(e.kind())), e.message(), trace_of(e)};
    } catch (const std::exception& e) {
        return {"internal", e.what(), ""};
    } catch (...) {
        return {"internal", "an exception of an unknown type", ""};
    }
}

PhaseOutcome explain(const std::exception_ptr& thrown, Stage stage,
                     const std::optional<CancelReason>& interrupted) {
    PhaseOutcome out;
    try {
        std::rethrow_exception(thrown);
    } catch (const Interrupted& e) {
        return from_interruption(e.reason(), stage);
    } catch (const SandboxLost&) {
        out = {Outcome::Infrastructure, {}, {}, true};
    } catch (const ModelError& e) {
        if (interrupted) return from_interruption(*interrupted, stage);
        out = from_model_error(e, stage);
    } catch (const Error& e) {
        if (interrupted) return from_interruption(*interrupted, stage);
        out = from_error(e, stage);
    } catch (...) {
        out = {Outcome::Infrastructure, {}, {}, false};
    }
    out.error = error_record(thrown);
    out.detail = out.error->kind;
    return out;
}

AttemptClass classify(AgentEnd agent, VerifyEnd verify, bool infrastructure, bool cancelled) {
    if (cancelled) return AttemptClass::Cancelled;
    if (infrastructure) return AttemptClass::InfrastructureError;
    if (verify != VerifyEnd::Done) return AttemptClass::VerifierError;
    if (agent == AgentEnd::Error) return AttemptClass::AgentFailure;
    return agent == AgentEnd::Limit ? AttemptClass::Limit : AttemptClass::Scored;
}

bool is_accepted(AttemptClass attempt_class) {
    return attempt_class == AttemptClass::Scored || attempt_class == AttemptClass::AgentFailure ||
           attempt_class == AttemptClass::Limit;
}

} // namespace assay
