// One step of a call: its chunk for the forward pass, and what follows from the logits.
#pragma once

#include "schedule.h"

#include <optional>
#include <span>
#include <vector>

namespace assay::engine {

struct Advance {
    std::vector<TokenChoice> tokens; // new ones
    std::optional<Ended> ended;      // they were the last
};

struct AdvanceRules {
    std::int64_t context = 0; // tokens that one call may have
    std::int32_t vocab = 0;
    std::int32_t token_count = 0; // ids from here on are padding; 0: there are none
};

Chunk chunk_of(const Piece& piece, int hidden);
// Rows of logits that the piece's chunk asks for.
std::int64_t rows_of_logits(const Piece& piece, const Chunk& chunk);

// `begin`: the length of the sequence before the step. Throws what the sampler throws.
Advance advance(const Piece& piece, std::int64_t begin, std::span<const float> logits,
                const AdvanceRules& rules);

} // namespace assay::engine
