// A call of the batcher, from its arrival to its last token.
#pragma once

#include "assay/engine/batcher.h"
#include "prefix_tree.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <optional>

namespace assay::engine {

struct Job {
    using Clock = std::chrono::steady_clock;

    Job(GenerateRequest given, const Cancel& caller, int hidden);
    void append(const TokenChoice& choice);

    std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
    // Tokens that the cache does not have yet: one at least, whose logits give the next token.
    std::int64_t open() const { return length() - (sequence ? sequence->length() : 0); }
    bool answered() const { return ids.size() > request.prompt.size(); } // a token at least
    bool decoding() const { return open() == 1 && answered(); }

    GenerateRequest request;
    const Cancel cancel;
    bool scoring = false;

    // Of the batcher's thread.
    std::vector<std::int32_t> ids; // prompt and what was generated
    std::vector<TokenKey> keys;    // of these
    std::optional<Sequence> sequence;
    Seen seen;
    std::int64_t computed = 0; // rows that it cost so far
    std::size_t judged = 1;    // ids that were scored, and the first, which is not

    // Under the batcher's mutex.
    Generation generation;
    bool begun = false, done = false, abandoned = false;
    std::exception_ptr error{};
    std::condition_variable changed{};
    const Clock::time_point arrived = Clock::now();
    Clock::time_point began{}, first{}; // computing, token
};

} // namespace assay::engine
