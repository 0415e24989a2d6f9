// A model: completes conversations, may score token ids. Providers: in-process, HTTP, script,
// replay.
//
// complete() blocks the calling thread. Failures are ModelErrors that say whether a retry makes
// sense; retries, adaptive concurrency and recording are decorators around a Model, not its own
// business.
#pragma once

#include "assay/api/content.h"
#include "assay/api/tool.h"
#include "assay/base/cancel.h"
#include "assay/base/error.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay {

struct ToolChoice {
    enum class Kind { Auto, None, Required, Named } kind = Kind::Auto;
    std::string name; // of Named
};
std::string to_string(const ToolChoice& choice); // "auto", "none", "required" or the tool's name

struct Sampling {
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<int> top_k;
    std::optional<double> min_p; // of the most likely token's probability
    std::optional<double> repetition_penalty, presence_penalty, frequency_penalty;
    std::optional<int> max_tokens;
    std::optional<int> top_logprobs; // log-probabilities, with so many alternatives
    std::optional<ToolChoice> tool_choice;
    std::vector<std::string> stop;
    std::optional<std::string> reasoning_effort;
    std::optional<std::string> response_schema; // JSON schema the answer must follow, if supported
};

// All that a random draw may depend on: the same key gives the same draws whatever runs beside it.
struct SeedKey {
    std::uint64_t seed = 0; // of the run
    std::string task;
    int attempt = 1;
    std::string role = "agent";
    int turn = 0;             // calls of this role so far
    std::string text() const; // "seed/task/attempt/role/turn"
};

class EventSink;

struct CompletionRequest {
    std::vector<MessageRef> messages;
    std::vector<ToolSpec> tools;
    Sampling sampling;
    SeedKey seed;
    // Continues this text as it stands: no template, no messages, no tools. A provider that has no
    // such call throws ModelError(BadRequest).
    std::optional<std::string> raw_prompt;
    std::optional<Id> parent;     // the completion that this one continues
    std::optional<Id> completion; // what it will be called, set by the recorder
    EventSink* events = nullptr;  // of the trial, set by the recorder: retries are told here
    // Of each try alone, kept by RetryingModel: waits for a place or a Retry-After do not count.
    std::optional<Nanoseconds> try_limit;
    // Told true when the call begins to wait in a queue of ours, for a place or between tries, and
    // false when it goes on. May be empty.
    std::function<void(bool)> waiting;
};

struct Usage {
    std::uint64_t prompt_tokens = 0; // all of the prompt, cached included
    std::uint64_t cached_tokens = 0;
    std::uint64_t completion_tokens = 0;
    std::uint64_t reasoning_tokens = 0; // part of completion_tokens
    std::optional<double> cost;         // in US dollars; absent: no price known
};
Usage operator+(const Usage& a, const Usage& b);

enum class Finish { Stop, Length, ToolCalls, ContentFilter, Unknown };
std::string_view to_string(Finish finish);

struct TokenLogprob {
    std::int32_t token = 0;
    float logprob = 0;
    std::vector<std::pair<std::int32_t, float>> top; // most likely first
};

struct Completion {
    Id id; // set by the recorder; what a later request names as parent
    Message message;
    Finish finish = Finish::Unknown;
    std::string
        stop_sequence; // of Sampling::stop, the one that ended it; empty: none, or not known
    Usage usage;
    std::string model;                    // as the provider names it
    std::vector<std::int32_t> prompt_ids; // only those new since the parent; empty: not known
    std::vector<std::int32_t> completion_ids;
    std::vector<TokenLogprob> logprobs;
    std::optional<std::uint64_t> prefix_broken; // byte offset where the text left the parent's ids
    std::optional<Digest> template_hash; // of the chat template; absent: the server's, not known
    double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0; // 0: not known
    int tries = 1;                                                     // 1 + retries made inside
    std::string raw_request, raw_response; // bodies as sent and received; may be empty
};

struct Delta { // a piece of a streamed completion
    enum class Kind { Text, Reasoning, ToolCall } kind = Kind::Text;
    std::string_view text;
};
using DeltaSink = std::function<void(const Delta&)>; // may be empty

enum class ModelFault {
    Retry,           // transient: broken stream, 5xx, connection lost
    Overload,        // 429/503/529: retry and lower the concurrency
    Timeout,         // no answer in time
    ContextOverflow, // the prompt does not fit
    BadRequest,      // our request is wrong: an error of the harness
    Auth,            // key missing or refused
    NotFound,        // no such model
    Refused,         // safety refusal without content
    ReplayMismatch,  // the run has parted from the one that is replayed
    Fatal,           // anything else that a retry will not mend
};
std::string_view to_string(ModelFault fault);
ModelFault model_fault_from(std::string_view text); // the inverse; Error(Input) for another text

class ModelError : public Error {
  public:
    ModelError(ModelFault fault, std::string message,
               std::optional<double> retry_after_seconds = std::nullopt)
        : Error(ErrorKind::Model, std::move(message))
        , fault_(fault)
        , retry_after_(retry_after_seconds) {}
    ModelFault fault() const { return fault_; }
    std::optional<double> retry_after_seconds() const { return retry_after_; }
    int tries() const { return tries_; } // and the waits between them: as in Completion
    double queue_seconds() const { return queue_seconds_; }
    void set_tries(int tries, double queue_seconds) {
        tries_ = tries;
        queue_seconds_ = queue_seconds;
    }

  private:
    ModelFault fault_;
    std::optional<double> retry_after_;
    int tries_ = 1;
    double queue_seconds_ = 0;
};

struct ModelCapabilities {
    bool tools = false, images = false, streaming = false;
    bool token_ids = false, score = false; // score(): teacher-forced log-probabilities
    bool deterministic = false;            // same request and seed key: same completion
    std::optional<std::uint64_t> context_tokens;
};

class Model {
  public:
    virtual ~Model() = default;
    virtual std::string name() const = 0; // the spec it was made from: "openai:gpt-x"
    virtual ModelCapabilities capabilities() const = 0;
    // Models with the same key share one limit on calls in flight; empty: no limit.
    virtual std::string connection_key() const = 0;
    // Of all that its answers follow from beside the request: script, weights. Absent: not known.
    virtual std::optional<Digest> fingerprint() const { return std::nullopt; }
    // How its answers are computed, if that is known here: a JSON object for the record of a run.
    virtual std::string plan() const { return {}; }
    virtual Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                                const Cancel& cancel) = 0;
    // What a token stands for: bytes, perhaps a part of a character. The default knows none.
    virtual std::optional<std::string> token_bytes(std::int32_t /*token*/) const {
        return std::nullopt;
    }
    // Log-probability of each id but the first, given those before it. The default throws
    // Error(Unsupported).
    virtual std::vector<TokenLogprob> score(std::span<const std::int32_t> ids,
                                            const Cancel& cancel);
};

} // namespace assay
