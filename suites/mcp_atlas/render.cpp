// What reaches the model in the official harness (services/agent-environment and agent-harness of
// the MCP Atlas repository), where errors pass through an HTTP service and content through a schema
// that knows text only.
#include "assay/base/text.h"
#include "atlas_tools.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace assay::atlas {

using Json = nlohmann::ordered_json;

namespace {

std::string text_of(const Json& block) {
    auto text = block.is_object() ? block.find("text") : block.end();
    return block.is_object() && text != block.end() && text->is_string() ? text->get<std::string>()
                                                                         : "";
}

std::string type_of(const Json& block) {
    auto type = block.is_object() ? block.find("type") : block.end();
    return block.is_object() && type != block.end() && type->is_string() ? type->get<std::string>()
                                                                         : "";
}

// The body of the service's answer to a failed call.
ToolOutcome failed(const std::string& detail) {
    return text_outcome(Json{{"detail", utf8_clean(detail)}}.dump(), true);
}

ToolOutcome result_outcome(const std::string& tool, const mcp::CallResult& result) {
    Json blocks = Json::parse(result.content, nullptr, false);
    if (!blocks.is_array()) blocks = Json::array();
    std::vector<MediaPart> texts;
    std::string joined;
    bool other = false;
    for (const Json& block : blocks) {
        if (type_of(block) != "text") {
            other = true;
            continue;
        }
        texts.push_back(TextPart{text_of(block)});
        joined += text_of(block);
    }
    if (result.is_error) return failed(fmt::format("Error calling tool '{}': {}", tool, joined));
    if (trim(joined).empty()) return text_outcome("success");
    if (other)
        return text_outcome("Error: the result has content that is neither text nor an image URL",
                            true);
    return {std::move(texts), false, result.structured};
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

} // namespace

mcp::Renderer strict_renderer() {
    return [](const std::string& tool, const mcp::CallEnd& end) {
        switch (end.kind) {
        case mcp::CallEnd::Kind::Result:
            return result_outcome(tool, end.result);
        case mcp::CallEnd::Kind::RpcError:
            return failed(fmt::format("Error calling tool '{}': {}", tool, end.message));
        case mcp::CallEnd::Kind::Timeout:
            return text_outcome(
                fmt::format("Tool call timed out after {:g} seconds", end.limit_seconds), true);
        case mcp::CallEnd::Kind::Dead:
            return text_outcome("Error: " + first_line(end.message), true);
        }
        return text_outcome("Error", true);
    };
}

} // namespace assay::atlas
