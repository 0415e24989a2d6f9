// The rows of a run as plain data; store.md in docs/ has the schema. Times are microseconds since
// the Unix epoch (UTC), durations seconds.
#pragma once

#include "assay/api/model.h"
#include "assay/api/suite.h"
#include "assay/api/trial.h"
#include "assay/base/hash.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay {

struct ArmRecord { // what is compared: model + agent + settings
    Id id;
    std::string label; // unique in the run, e.g. "tools@openai:m3"
    std::string agent, agent_version;
    std::string model;           // spec; empty: the agent needs none
    std::string judge;           // spec; empty: none
    std::string settings = "{}"; // JSON
};

struct SlotRecord { // one planned attempt
    Id id;
    Id arm;
    std::string task, family, task_digest;
    int attempt = 1;        // k, from 1
    std::int64_t order = 0; // position in the plan
};

struct PlanRecord { // fixed and hashed before the first trial; the same file on every shard
    Id run;
    std::string suite, suite_version;
    std::string source; // --tasks, or "samples"
    std::uint64_t seed = 0;
    std::string settings = "{}"; // JSON: suite settings, limits, sandbox, clock, ...
    std::string metrics = "[]";  // JSON: the suite's metric definitions
    std::vector<ArmRecord> arms;
    std::vector<SlotRecord> slots;                            // in order
    std::vector<std::pair<std::string, std::string>> refused; // task, why
    Digest digest() const; // SHA-256 of plan_body_json: over all of the above, canonically
};

// Ids of what a plan fixes: the same on every machine, so that shards merge.
Id arm_id(const Id& run, std::string_view label);
Id slot_id(const Id& run, std::string_view task, std::string_view arm_label, int attempt);
Id try_id(const Id& slot, int number);
Id call_id(const Id& attempt, std::string_view role, int turn); // `attempt`: the try's id

enum class AgentEnd { None, Done, Limit, Error, Cancelled }; // None: the agent never started
enum class VerifyEnd { None, Done, Error, Cancelled };
// The class is a view on how agent and verification ended and on whose fault an error was.
enum class AttemptClass {
    Scored,
    AgentFailure,        // a 0 that is kept
    Limit,               // scored as it stands
    InfrastructureError, // never a 0
    VerifierError,
    Cancelled,
};
std::string_view to_string(AgentEnd end);
std::string_view to_string(VerifyEnd end);
std::string_view to_string(AttemptClass c); // "scored", "infrastructure_error", ...
// The inverse; Error(Input) for another text.
AgentEnd agent_end_from(std::string_view text);
VerifyEnd verify_end_from(std::string_view text);
AttemptClass attempt_class_from(std::string_view text);

struct ErrorRecord {
    std::string kind; // "sandbox", "model/overload", "verifier"...
    std::string message;
    std::string trace; // frames and hint
};

struct PhaseRecord {
    std::string name; // environment_start, agent_setup, agent, collect, verify, clean_up
    std::int64_t began = 0;
    double seconds = 0, queue_seconds = 0;
    std::string end; // done, limit:<which>, error:<kind>, cancelled
};

struct CallRecord { // one model call of a try
    Id id;          // call_id(); a zero id is filled in from role and turn
    std::optional<Id> parent;
    std::string role;
    int turn = 0;                 // number of this call within its role, from 0
    std::vector<BlobRef> added;   // JSON of the messages new since the parent, in order
    BlobRef output;               // JSON of the completion's message; none if there is an error
    std::optional<BlobRef> error; // why the call failed or was interrupted
    std::optional<BlobRef> tools; // JSON list of the tool specs, if they changed
    std::string sampling = "{}";
    std::string model;
    std::string finish; // of the completion; with an error "error:<fault>", "interrupted:<cause>"
    Usage usage;
    std::vector<std::int32_t> prompt_ids, completion_ids; // new ones only
    std::vector<TokenLogprob> logprobs;
    std::optional<std::uint64_t> prefix_broken;
    std::optional<Digest> template_hash;
    double seconds = 0, queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
    int tries = 1;
    std::optional<BlobRef> raw_request, raw_response;
    std::int64_t began = 0;
};

struct ScoreRecord {
    std::string scorer, version;
    std::string metric;
    bool primary = false;
    double value = 0;
    std::optional<BlobRef> explanation;
    std::string deviations = "[]"; // JSON list: from the official procedure
    std::string details = "{}";
    std::optional<Digest> input_hash = {}; // of what the scorer saw; none: not known
};

struct AuditRecord { // what a person changed about the run after it was planned
    std::int64_t time = 0;
    std::string who, what, why;
};

struct ConnectionChange { // of how many calls a connection may have in flight
    std::int64_t time = 0;
    std::string connection; // Model::connection_key
    int before = 0, after = 0;
    std::string cause; // "success", "overload", "retry_after"
};
// One line a connection: from where to where, between which, how often and why.
std::vector<std::string> connection_lines(const std::vector<ConnectionChange>& changes);

struct TryEnd { // everything known when a try is over
    AgentEnd agent = AgentEnd::None;
    VerifyEnd verify = VerifyEnd::None;
    std::string agent_detail; // which limit, which error
    AttemptClass attempt_class = AttemptClass::InfrastructureError;
    std::optional<double> score; // the primary metric
    std::optional<ErrorRecord> error;
    bool accepted = false; // the slot's result; at most one try a slot
    std::int64_t ended = 0;
    double wall_seconds = 0, queue_seconds = 0, model_seconds = 0, sandbox_seconds = 0;
    Usage usage;
    int turns = 0;
    ResourceUsage resources;
    std::string environment = "{}"; // JSON: bases, backend, limits that hold
};

} // namespace assay
