// The hash of what a scorer saw: the same for the same task and inputs, whenever and wherever they
// are scored; another one when an input differs by a byte. docs/store.md has the text it is over.
#pragma once

#include "assay/api/suite.h"

#include <optional>
#include <string>
#include <string_view>

namespace assay {

// `layer`: of the agent's sandbox, for scorers that worked in it. Nothing if it is not known what
// the scorer looked at.
std::optional<Digest> score_input_hash(const std::string& task_digest, const ScoreResult& result,
                                       const std::optional<Digest>& layer);

// Of a tar by Sandbox::layer_tar, over all but the times.
Digest layer_digest(std::string_view tar);

} // namespace assay
