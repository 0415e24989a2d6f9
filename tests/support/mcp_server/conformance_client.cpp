// What the official conformance suite drives: assay_test_mcp_conformance URL, with the scenario's
// name in MCP_CONFORMANCE_SCENARIO. docs/mcp.md has the command and the last result.
#include "assay/mcp/client.h"
#include "assay/mcp/http_transport.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace assay;
using Json = nlohmann::ordered_json;

namespace {

// Accepts, and fills in what the schema gives as defaults.
std::string accept_defaults(std::string_view params) {
    Json json = Json::parse(params);
    Json content = Json::object();
    const Json schema = json.value("requestedSchema", Json::object());
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, property] : properties.items()) {
        if (property.contains("default"))
            content[name] = property["default"];
        else if (property.value("type", "") == "boolean")
            content[name] = true;
        else if (property.value("type", "") == "string")
            content[name] = "yes";
    }
    return Json{{"action", "accept"}, {"content", content}}.dump();
}

Json value_for(const Json& schema) {
    std::string type = schema.is_object() ? schema.value("type", "string") : "string";
    if (type == "integer" || type == "number") return 3;
    if (type == "boolean") return true;
    if (type == "array") return Json::array();
    if (type == "object") return Json::object();
    return "text";
}

std::string arguments_for(const mcp::ToolInfo& tool) {
    Json schema = Json::parse(tool.input_schema);
    Json arguments = Json::object();
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, property] : properties.items()) arguments[name] = value_for(property);
    return arguments.dump();
}

// Scenarios may say in their context which calls they want.
std::vector<std::pair<std::string, std::string>> calls_of_context() {
    std::vector<std::pair<std::string, std::string>> out;
    const char* text = std::getenv("MCP_CONFORMANCE_CONTEXT");
    Json context = Json::parse(text != nullptr ? text : "{}", nullptr, false);
    if (!context.is_object() || !context.contains("toolCalls")) return out;
    for (const Json& call : context["toolCalls"])
        out.emplace_back(call.at("name"), call.value("arguments", Json::object()).dump());
    return out;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const char* version = std::getenv("MCP_CONFORMANCE_PROTOCOL_VERSION");
    mcp::ClientOptions options;
    options.server = "conformance";
    if (version != nullptr && std::string(version) < "2026") options.era = mcp::Era::Legacy;
    options.capabilities = R"({"elicitation":{"form":{"applyDefaults":true}}})";
    options.handlers["elicitation/create"] = accept_defaults;
    try {
        Cancel cancel = Cancel().child(Cause::Deadline, std::chrono::seconds(25), "conformance");
        mcp::Client client(mcp::http_transport({.url = argv[argc - 1]}), options);
        client.open(cancel);
        auto tools = client.tools(cancel);
        auto wanted = calls_of_context();
        if (wanted.empty())
            for (const mcp::ToolInfo& tool : tools)
                wanted.emplace_back(tool.name, arguments_for(tool));
        for (const auto& [name, arguments] : wanted) {
            try {
                client.call(name, arguments, cancel);
            } catch (const Error& e) {
                std::fprintf(stderr, "%s: %s\n", name.c_str(), e.render().c_str());
            }
        }
    } catch (const Error& e) {
        std::fprintf(stderr, "%s\n", e.render().c_str());
        return 1;
    } catch (const Interrupted& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
    return 0;
}
