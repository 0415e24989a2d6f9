// "CHECKPOINT[@KEY=VALUE,...]", what follows "m3:".
#pragma once

#include "assay/base/fs.h"
#include "assay/engine/engine.h"

#include <optional>
#include <string>
#include <string_view>

namespace assay {

struct M3Spec {
    Path checkpoint;
    engine::EngineOptions engine;
    // "enabled", "disabled" or "adaptive"; empty: the template decides, as if it were adaptive.
    std::string thinking;
    // Free: the model may write what it likes. Valid: a tool call that it begins is one of the
    // tools', with arguments that fit. Required: and it makes one.
    enum class Tools { Free, Valid, Required } tools = Tools::Free;
    std::optional<int> max_tokens; // of a completion, where the request sets no limit
    // Under tools=required or valid: tokens after which each part of a turn is brought to its end.
    std::optional<int> part_tokens;
};

M3Spec parse_m3_spec(std::string_view text); // throws Error(Usage)

} // namespace assay
