// The choice of the next token from logits: pure functions, the same on every machine for the same
// logits, settings and draw.
//
// In this order: penalties on what was seen, temperature, top-k, top-p, min-p, then one draw.
// Candidates are ordered by probability, equal ones by id, and sums run in that order in double.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace assay::engine {

struct SamplerSettings {
    double temperature = 1;        // 0: the most likely token, without a draw
    double top_p = 1;              // the fewest tokens that have this probability together
    int top_k = 0;                 // 0: all
    double min_p = 0;              // of the most likely token's probability
    double repetition_penalty = 1; // divides positive logits of seen tokens, multiplies negative
    double presence_penalty = 0;   // taken from the logit of a token that was seen
    double frequency_penalty = 0;  // the same, for each time
};

// Throws Error(Usage) that names the setting and its range.
void check(const SamplerSettings& settings);

using Seen = std::unordered_map<std::int32_t, int>; // tokens of the completion so far, how often

struct TokenChoice {
    std::int32_t id = 0;
    float logprob = 0; // of the model itself: before penalties, temperature and cuts
    std::vector<std::pair<std::int32_t, float>> top; // the same of the `alternatives` most likely
};

// `allowed` (empty: all) tells which ids may be chosen; `draw` is in [0, 1). Throws Error(Model) if
// nothing may be chosen, or if the logits are not numbers.
TokenChoice choose(std::span<const float> logits, const SamplerSettings& settings, const Seen& seen,
                   const std::vector<bool>& allowed, double draw, int alternatives);

// The same of a token that was not chosen here but is given.
TokenChoice judge(std::span<const float> logits, std::int32_t id, int alternatives);

// The draw of a token: from the seed key's text and the number of the token in its completion.
double draw_for(std::string_view seed_key, std::uint64_t token);

} // namespace assay::engine
