// Completions of many callers on one model: their tokens are computed together, what several
// prompts share is computed once, and each gets the same bits as if it were alone.
//
//   Batcher batcher(config, weights, {.cache_bytes = 1u << 30});
//   Generation out = batcher.generate(std::move(request), [](const TokenChoice& t) {...}, cancel);
//
// Calls are admitted in order of arrival. Each step decodes a token of all that run and gives the
// rest of its tokens to prompts in turn, so that a long prompt holds up nobody for longer than a
// step. If the cache is full, pages that nobody uses go first, then the call that came last waits
// and is computed again later. Thread-safe; the model runs on a thread of the batcher's own.
#pragma once

#include "assay/base/cancel.h"
#include "assay/engine/constraint.h"
#include "assay/engine/forward.h"
#include "assay/engine/sampler.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace assay::engine {

struct BatcherOptions {
    Compute compute = Compute::Bf16;
    int threads = 1;
    std::uint64_t cache_bytes = 0;
    int running = 32;      // calls that are computed together; others wait
    int step_tokens = 512; // of prompts, in one pass over the layers
    std::int32_t token_count =
        0; // ids from here on are padding and never chosen; 0: there are none
};

// Features of a picture or video: rows of the prompt that have no embedding of their own.
struct MediaRows {
    std::int64_t first = 0;                         // of the prompt
    std::shared_ptr<const std::vector<float>> rows; // [n, hidden]
    std::uint64_t content = 0;                      // a hash of what is seen
};

struct GenerateRequest {
    std::vector<std::int32_t> prompt;
    std::vector<MediaRows> media{};
    SamplerSettings sampling{};
    std::string seed_key{}; // see draw_for
    std::int64_t max_tokens = 0;
    std::vector<std::int32_t> stop_ids{};     // the one that ends it is part of the completion
    std::unique_ptr<Constraint> constraint{}; // may be empty
    int alternatives = 0;                     // most likely tokens that are told with each
    // True: this was the last token. Called on the batcher's thread, for stop strings; owns all
    // that it uses, for it may run until shortly after generate() was interrupted.
    std::function<bool(const TokenChoice&)> stop{};
    std::function<void()> begun{}; // on the calling thread: the call has left the queue
};

enum class Ended { StopId, Stop, MaxTokens, ContextFull };

struct Generation {
    std::vector<TokenChoice> tokens;
    Ended ended = Ended::MaxTokens;
    std::int64_t cached_tokens = 0; // of the prompt: found in the cache
    double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
};

struct BatcherCounters {
    std::uint64_t steps = 0;
    std::uint64_t computed_tokens = 0; // rows that went through the layers
    std::uint64_t cached_tokens = 0;   // of prompts: found in the cache
    std::uint64_t evicted_pages = 0;
    std::uint64_t postponed = 0; // calls that made room for others
    int most_running = 0;
};

class Batcher {
  public:
    // Refers to both, which must live longer. Throws Error(Usage) for a cache without a page.
    Batcher(const TextConfig& config, const TextWeights& weights, const BatcherOptions& options);
    ~Batcher(); // no call is in progress
    Batcher(const Batcher&) = delete;

    // Tokens that one call may have, prompt and completion together: of the model, or of the cache.
    std::int64_t context() const;

    // Blocks; `sink` (may be empty) runs on the calling thread as tokens come. Throws Error(Input)
    // for a prompt that is empty, too long or not of this vocabulary, Error(Model) if a constraint
    // leaves no choice or logits are not finite, Interrupted.
    Generation generate(GenerateRequest request,
                        const std::function<void(const TokenChoice&)>& sink, const Cancel& cancel);
    // Log-probabilities of ids[1], ids[2], ...: each given those before it.
    std::vector<TokenChoice> score(std::vector<std::int32_t> ids, int alternatives,
                                   const Cancel& cancel);

    BatcherCounters counters() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace assay::engine
