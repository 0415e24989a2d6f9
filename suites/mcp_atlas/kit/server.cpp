#include "server.h"

#include <cstdio>
#include <iostream>

namespace kit {

namespace {

void put(const Json& json) {
    std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
}

Json describe(const Tool& tool) {
    Json schema = {{"type", "object"}, {"properties", tool.properties}};
    if (!tool.required.empty()) schema["required"] = tool.required;
    return {{"name", tool.name}, {"description", tool.description}, {"inputSchema", schema}};
}

Json call(const Tool& tool, const Json& arguments) {
    std::string text;
    bool failed = false;
    try {
        for (const std::string& name : tool.required)
            if (!arguments.contains(name))
                throw ToolError("the argument '" + name + "' is missing");
        text = tool.run(arguments);
    } catch (const std::exception& e) {
        text = std::string("Error: ") + e.what();
        failed = true;
    }
    Json result = {{"content", {{{"type", "text"}, {"text", text}}}}};
    if (failed) result["isError"] = true;
    return result;
}

// Sets "result" or "error" in `reply`.
void answer(const std::string& method, const Json& params, const std::string& name,
            const std::vector<Tool>& tools, Json& reply) {
    if (method == "initialize") {
        std::string version = params.value("protocolVersion", "");
        bool known = version == "2025-11-25" || version == "2025-06-18";
        reply["result"] = {{"protocolVersion", known ? version : "2025-11-25"},
                           {"capabilities", {{"tools", Json::object()}}},
                           {"serverInfo", {{"name", "assay-" + name}, {"version", "1"}}}};
        return;
    }
    if (method == "ping") {
        reply["result"] = Json::object();
        return;
    }
    if (method == "tools/list") {
        Json list = Json::array();
        for (const Tool& tool : tools) list.push_back(describe(tool));
        reply["result"] = {{"tools", list}};
        return;
    }
    if (method == "tools/call") {
        std::string wanted = params.value("name", "");
        Json arguments = params.value("arguments", Json::object());
        for (const Tool& tool : tools) {
            if (tool.name != wanted) continue;
            reply["result"] = call(tool, arguments.is_object() ? arguments : Json::object());
            return;
        }
        reply["error"] = {{"code", -32602}, {"message", "Unknown tool: " + wanted}};
        return;
    }
    reply["error"] = {{"code", -32601}, {"message", "Method not found"}};
}

} // namespace

void serve(const std::string& name, const std::vector<Tool>& tools) {
    std::string line;
    while (std::getline(std::cin, line)) {
        Json message = Json::parse(line, nullptr, false);
        if (!message.is_object() || !message.contains("id") || !message.contains("method") ||
            !message["method"].is_string())
            continue;
        Json reply = {{"jsonrpc", "2.0"}, {"id", message["id"]}};
        try {
            Json params = message.value("params", Json::object());
            answer(message["method"], params.is_object() ? params : Json::object(), name, tools,
                   reply);
        } catch (const Json::exception& e) {
            reply["error"] = {{"code", -32602}, {"message", e.what()}};
        }
        put(reply);
    }
}

std::string text_argument(const Json& arguments, const char* key) {
    auto found = arguments.find(key);
    if (found == arguments.end() || !found->is_string())
        throw ToolError(std::string("the argument '") + key + "' must be a string");
    return found->get<std::string>();
}

std::string text_argument(const Json& arguments, const char* key, const std::string& otherwise) {
    return arguments.contains(key) ? text_argument(arguments, key) : otherwise;
}

} // namespace kit
