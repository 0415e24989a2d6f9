// All that the model computes for one prompt, to be held against another implementation.
#pragma once

#include "assay/base/cancel.h"
#include "assay/engine/checkpoint.h"
#include "assay/engine/forward.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay::engine {

struct TraceOptions {
    Compute compute = Compute::F32;
    bool layers = true; // hidden states, blocks and experts of each layer
    std::optional<std::vector<std::int64_t>> rows; // positions that are kept; absent: all
    int greedy = 32;                               // tokens of a greedy continuation
    int chunk = 512; // tokens of one pass over the layers: changes no bit
    int threads = 1;
    std::vector<GivenRows> given{}; // of the prompt: features of pictures and videos
};

// The bytes of a safetensors file. Per row: rows, logit_rows, hidden, attn_out, mlp_out,
// final_norm, logits, block_scores, router_weights, router_logits; of every token: blocks,
// block_margin, router_ids, prompt_logprobs; greedy_ids, greedy_logprobs, greedy_margin. Throws
// Error(Input) for ids outside the vocabulary and rows outside the prompt.
std::string trace(const Checkpoint& checkpoint, std::span<const std::int32_t> ids,
                  const TraceOptions& options, const Cancel& cancel);

} // namespace assay::engine
