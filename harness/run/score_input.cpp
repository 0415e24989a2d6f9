#include "score_input.h"

#include "assay/base/text.h"

#include <fmt/format.h>

namespace assay {

std::optional<Digest> score_input_hash(const std::string& task_digest, const ScoreResult& result) {
    if (!result.inputs) return std::nullopt;
    std::string text = fmt::format("assay-score-input/1\ntask {}\n", json_quote(task_digest));
    for (const auto& [name, hash] : *result.inputs)
        text += fmt::format("{} {}\n", hash.hex(), json_quote(name));
    return sha256(text);
}

} // namespace assay
