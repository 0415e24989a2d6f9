// Messages in the form that chat templates know: OpenAI's, with reasoning_content and media parts.
#pragma once

#include "assay/api/model.h"

#include <span>
#include <string>
#include <vector>

namespace assay {

struct M3Conversation {
    std::string json;            // for Engine::render
    std::vector<BlobRef> images; // in the order of their placeholders
};

// `thinking`: see M3Spec. Arguments of earlier calls that are no JSON object are given as
// {"malformed": "..."}. Throws ModelError(BadRequest) for a tool schema that is no JSON.
M3Conversation m3_conversation(std::span<const MessageRef> messages,
                               std::span<const ToolSpec> tools, const std::string& thinking,
                               bool generation_prompt);

// The tools as the template and the output parser take them.
std::string m3_tools(std::span<const ToolSpec> tools);

} // namespace assay
