#include "m3_conversation.h"

#include "assay/base/json.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;

Json tools_json(std::span<const ToolSpec> tools) {
    Json out = Json::array();
    for (const ToolSpec& tool : tools) {
        Json schema = parse_json<Json>(tool.schema.empty() ? "{}" : tool.schema);
        if (schema.is_discarded())
            throw ModelError(ModelFault::BadRequest,
                             "tool " + tool.name + ": its schema is not JSON");
        out.push_back({{"type", "function"},
                       {"function",
                        {{"name", tool.name},
                         {"description", utf8_clean(tool.description)},
                         {"parameters", std::move(schema)}}}});
    }
    return out;
}

class Messages {
  public:
    void add(const Message& message) {
        if (message.role == Role::Tool) return add_results(message);
        if (message.role == Role::Assistant) return add_assistant(message);
        list.push_back({{"role", to_string(message.role)}, {"content", content(message.parts)}});
    }

    Json list = Json::array();
    std::vector<BlobRef> images;

  private:
    template<class Part>
    Json content(const std::vector<Part>& parts) {
        std::string text;
        Json all = Json::array();
        bool media = false;
        for (const Part& part : parts) {
            if (const auto* piece = std::get_if<TextPart>(&part)) {
                text += utf8_clean(piece->text);
                all.push_back({{"type", "text"}, {"text", utf8_clean(piece->text)}});
            } else if (const auto* image = std::get_if<ImagePart>(&part)) {
                all.push_back({{"type", "image"}});
                images.push_back(image->blob);
                media = true;
            }
        }
        return media ? all : Json(text);
    }

    void add_assistant(const Message& message) {
        Json out = {{"role", "assistant"}, {"content", utf8_clean(message.text())}};
        std::string reasoning;
        for (const ContentPart& part : message.parts)
            if (const auto* piece = std::get_if<ReasoningPart>(&part)) reasoning += piece->text;
        if (!reasoning.empty()) out["reasoning_content"] = utf8_clean(reasoning);
        for (const ToolCall* call : message.tool_calls()) {
            Json arguments =
                parse_json<Json>(trim(call->arguments).empty() ? "{}" : call->arguments);
            if (!arguments.is_object()) arguments = {{"malformed", utf8_clean(call->arguments)}};
            out["tool_calls"].push_back(
                {{"id", utf8_clean(call->id)},
                 {"type", "function"},
                 {"function",
                  {{"name", utf8_clean(call->name)}, {"arguments", std::move(arguments)}}}});
        }
        list.push_back(std::move(out));
    }

    void add_results(const Message& message) {
        for (const ContentPart& part : message.parts)
            if (const auto* result = std::get_if<ToolResult>(&part))
                list.push_back({{"role", "tool"},
                                {"tool_call_id", utf8_clean(result->call_id)},
                                {"name", utf8_clean(result->name)},
                                {"content", content(result->parts)}});
    }
};

} // namespace

std::string m3_tools(std::span<const ToolSpec> tools) {
    return tools.empty() ? "" : tools_json(tools).dump();
}

M3Conversation m3_conversation(std::span<const MessageRef> messages,
                               std::span<const ToolSpec> tools, const std::string& thinking,
                               bool generation_prompt) {
    Messages all;
    for (const MessageRef& message : messages) {
        for (const ContentPart& part : message->parts)
            if (std::holds_alternative<VideoPart>(part))
                throw ModelError(ModelFault::BadRequest,
                                 "model m3: a message has a video; give its frames as images");
        all.add(*message);
    }
    Json out = {{"messages", std::move(all.list)}, {"add_generation_prompt", generation_prompt}};
    if (!tools.empty()) out["tools"] = tools_json(tools);
    if (!thinking.empty()) out["thinking_mode"] = thinking;
    return {out.dump(), std::move(all.images)};
}

} // namespace assay
