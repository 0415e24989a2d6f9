// From a checkpoint's folder and a conversation in the form of OpenAI's API to what ChatTemplate
// needs.
#pragma once

#include "assay/base/fs.h"

#include <string>
#include <string_view>

namespace assay::engine {

struct TemplateSource {
    std::string text;
    std::string name;                  // for messages
    std::string special_tokens = "{}"; // JSON: "bos_token", ... as tokenizer_config.json has them
};

// chat_template.jinja, else "chat_template" of tokenizer_config.json. Throws Error(Input) if there
// is neither.
TemplateSource find_template(FileSystem& files, const Path& checkpoint);

// The variables as transformers passes them. `conversation` is an object: "messages", and where
// wanted "tools", "add_generation_prompt" (true if absent), "thinking_mode" and whatever else the
// template knows. Unless `verbatim`, arguments of tool calls that are text become objects, and
// image_url and video_url parts become image and video, since templates know only these. Throws
// Error(Input).
std::string template_variables(std::string_view conversation, const TemplateSource& source,
                               bool verbatim = false);

} // namespace assay::engine
