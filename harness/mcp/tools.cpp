#include "tools.h"

#include "assay/base/json.h"

#include <fmt/format.h>

#include <set>

namespace assay::mcp {

Tools::Tools(Session& session, bool http, std::string server, const ClientOptions& options)
    : session_(session)
    , http_(http)
    , server_(std::move(server))
    , options_(options) {}

std::vector<std::string> Tools::warnings() const {
    std::lock_guard lock(mutex_);
    return warnings_;
}

void Tools::warn(std::string text) {
    std::lock_guard lock(mutex_);
    if (warnings_.size() < 100) warnings_.push_back(std::move(text));
}

std::vector<ToolInfo> Tools::list(const Cancel& cancel) {
    {
        std::lock_guard lock(mutex_);
        if (listed_ && !changed_) return tools_;
    }
    changed_ = false; // before the listing: a change during it must not be lost
    std::vector<ToolInfo> fresh = fetch(cancel);
    std::lock_guard lock(mutex_);
    tools_ = fresh;
    listed_ = true;
    return fresh;
}

std::vector<ToolInfo> Tools::fetch(const Cancel& cancel) {
    std::vector<ToolInfo> out;
    std::set<std::string> seen; // cursors
    std::optional<std::string> cursor;
    for (int page = 0; page < options_.max_pages; ++page) {
        Request request{.method = "tools/list", .timeout = options_.call_timeout};
        if (cursor) request.params["cursor"] = *cursor;
        Json result = session_.request(std::move(request), cancel);
        take_page(result, out);
        auto next = result.find("nextCursor");
        // Only an absent cursor ends the list: an empty one is a cursor like any other.
        if (next == result.end() || !next->is_string()) return out;
        cursor = next->get<std::string>();
        if (!seen.insert(*cursor).second) {
            warn(fmt::format("server '{}' repeats the page cursor '{}': its list was cut there",
                             server_, *cursor));
            return out;
        }
    }
    warn(fmt::format("server '{}' has more than {} pages of tools: its list was cut there", server_,
                     options_.max_pages));
    return out;
}

void Tools::take_page(const Json& result, std::vector<ToolInfo>& into) {
    auto tools = result.find("tools");
    if (tools == result.end() || !tools->is_array())
        throw Error(ErrorKind::Sandbox,
                    fmt::format("MCP server '{}' answered tools/list without tools", server_));
    for (const Json& one : *tools) {
        auto name = one.is_object() ? one.find("name") : one.end();
        if (!one.is_object() || name == one.end() || !name->is_string() ||
            name->get_ref<const std::string&>().empty()) {
            warn(fmt::format("server '{}' lists a tool without a name: left out", server_));
            continue;
        }
        if (into.size() >= options_.max_tools)
            throw Error(ErrorKind::Sandbox, fmt::format("MCP server '{}' lists more than {} tools",
                                                        server_, options_.max_tools));
        ToolInfo tool;
        tool.name = name->get<std::string>();
        bool known = std::any_of(into.begin(), into.end(),
                                 [&](const ToolInfo& other) { return other.name == tool.name; });
        if (known) {
            warn(fmt::format("server '{}' lists tool '{}' twice", server_, tool.name));
            continue;
        }
        if (auto text = one.find("description"); text != one.end() && text->is_string())
            tool.description = text->get<std::string>();
        auto schema = one.find("inputSchema");
        if (schema != one.end() && schema->is_object()) {
            tool.input_schema = dump(*schema);
        } else {
            warn(fmt::format("tool '{}' of server '{}' has no object as its input schema: shown "
                             "as taking anything",
                             tool.name, server_));
            tool.input_schema = R"({"type":"object"})";
        }
        if (auto output = one.find("outputSchema"); output != one.end())
            tool.output_schema = dump(*output);
        if (http_ && session_.info().modern && schema != one.end()) {
            std::string problem;
            auto headers = header_arguments(*schema, problem);
            if (!headers) {
                warn(fmt::format("tool '{}' of server '{}' is left out: {}", tool.name, server_,
                                 problem));
                continue;
            }
            tool.header_arguments = std::move(*headers);
        }
        into.push_back(std::move(tool));
    }
}

std::vector<std::pair<std::string, std::string>> Tools::headers_of(const std::string& tool,
                                                                   const Json& arguments) const {
    std::vector<std::pair<std::string, std::string>> out;
    if (!http_ || !session_.info().modern) return out;
    out.emplace_back("Mcp-Name", header_value(Json(tool)).value_or(""));
    std::lock_guard lock(mutex_);
    for (const ToolInfo& info : tools_) {
        if (info.name != tool) continue;
        for (const auto& [path, header] : info.header_arguments) {
            const Json* at = &arguments;
            for (const std::string& step : path) {
                auto next = at->is_object() ? at->find(step) : at->end();
                at = at->is_object() && next != at->end() ? &*next : nullptr;
                if (at == nullptr) break;
            }
            if (at == nullptr) continue;
            if (auto value = header_value(*at)) out.emplace_back("Mcp-Param-" + header, *value);
        }
    }
    return out;
}

CallResult Tools::call(const std::string& tool, const std::string& arguments,
                       const Cancel& cancel) {
    Json parsed = parse_json<Json>(arguments);
    if (!parsed.is_object())
        throw RpcError(-32602, "the arguments of '" + tool + "' are not a JSON object", "null");
    Request request{.method = "tools/call",
                    .timeout = options_.call_timeout,
                    .ceiling = options_.call_ceiling,
                    .reset_on_progress = options_.reset_on_progress};
    request.headers = headers_of(tool, parsed);
    request.params = {{"name", tool}, {"arguments", std::move(parsed)}};
    Json result = session_.request(std::move(request), cancel);
    CallResult out;
    auto content = result.find("content");
    if (content != result.end() && content->is_array()) out.content = dump(*content);
    if (auto error = result.find("isError"); error != result.end() && error->is_boolean())
        out.is_error = error->get<bool>();
    if (auto structured = result.find("structuredContent"); structured != result.end())
        out.structured = dump(*structured);
    if (content == result.end() && !out.structured)
        throw Error(ErrorKind::Sandbox,
                    fmt::format("MCP server '{}' answered '{}' without content", server_, tool));
    return out;
}

} // namespace assay::mcp
