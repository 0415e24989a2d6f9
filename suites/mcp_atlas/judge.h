// Claims scored by a judge model, one call a claim (section "scoring" of docs/suites/mcp-atlas.md).
#pragma once

#include "assay/api/trial.h"

#include <string>
#include <vector>

namespace assay::atlas {

enum class Outcome { Fulfilled, Partial, NotFulfilled, Failed }; // Failed: no usable verdict
std::string_view to_string(Outcome outcome);
double value_of(Outcome outcome); // 1, 0.5, 0; Failed is 0

struct Verdict {
    std::string claim;
    Outcome outcome = Outcome::Failed;
    std::string reason; // the judge's justification, or why there is none
    double confidence = -1;
};

// Sum of the values over all claims, by their number, to three decimals.
double coverage(const std::vector<Verdict>& verdicts);
inline constexpr double kPassAt = 0.75;

// At most 500,000 characters of an answer are judged; what is cut is marked.
std::string bounded_response(const std::string& response);

// The judge's answer, leniently: a JSON object, perhaps in a code fence or after other text.
// Outcome::Failed with the reason if there is none.
Verdict parse_verdict(std::string_view text);

// Asks again, up to `tries` calls in all, while the answer cannot be read or the judge refuses.
// A judge that cannot be reached is no verdict: its ModelError goes on.
Verdict judge_claim(const std::string& prompt, const std::string& response,
                    const std::string& claim, int tries, TrialContext& context);

} // namespace assay::atlas
