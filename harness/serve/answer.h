// A completion in a protocol's own words: whole, or as a stream of events while it comes.
#pragma once

#include "api_error.h"
#include "assay/api/model.h"
#include "assay/net/sse.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::serve {

struct AnswerFacts {
    std::string id;           // "chatcmpl-..."
    std::string model;        // as the server calls it
    std::int64_t created = 0; // seconds since the epoch
    bool logprobs = false;
    bool include_usage = false;
    // The bytes of a token; nullopt: not known. May be empty.
    std::function<std::optional<std::string>(std::int32_t)> token_bytes;
};

using EventOut = std::function<void(const SseEvent&)>;

// What deltas did not bring is told at the end, from the whole completion: a model that does not
// stream is one large piece. Used by one thread at a time.
class AnswerStream {
  public:
    virtual ~AnswerStream() = default;
    virtual void delta(const Delta& delta) = 0;
    virtual void end(const Completion& completion) = 0; // of one prompt
    virtual void finish() = 0;                          // after the last
    virtual void fail(const ApiError& error) = 0;       // instead of end and finish
};

std::string chat_answer(const AnswerFacts& facts, const Completion& completion);
std::string completions_answer(const AnswerFacts& facts,
                               const std::vector<Completion>& completions);
std::string messages_answer(const AnswerFacts& facts, const Completion& completion);
std::unique_ptr<AnswerStream> chat_stream(AnswerFacts facts, EventOut out);
std::unique_ptr<AnswerStream> completions_stream(AnswerFacts facts, EventOut out);
std::unique_ptr<AnswerStream> messages_stream(AnswerFacts facts, EventOut out);

// The reasoning of a message, joined by nothing.
std::string reasoning_of(const Message& message);
// What of `whole` follows `sent`. Throws ApiError(Internal) if it does not begin so: a provider
// began anew behind our back, and what was sent cannot be taken back. Space at the end does not
// count.
std::string_view rest_after(std::string_view whole, std::string_view sent);

} // namespace assay::serve
