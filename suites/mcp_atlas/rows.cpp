#include "rows.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "claims.h"
#include "csv.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace assay::atlas {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kMaxRows = 100'000;

std::string text_at(const Json& json, const char* key) {
    auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>()
                                                                         : "";
}

// Content of a chat message: a string, or parts of which some are text.
std::string content_text(const Json& message) {
    auto content = message.find("content");
    if (content == message.end()) return "";
    if (content->is_string()) return content->get<std::string>();
    std::string out;
    if (content->is_array())
        for (const Json& part : *content) out += text_at(part, "text");
    return out;
}

void read_trajectory(std::string_view text, Row& row) {
    if (trim(text).empty()) return;
    Json json = parse_json<Json>(text);
    if (!json.is_array()) {
        row.problem = "TRAJECTORY is not a JSON list";
        return;
    }
    for (const Json& message : json) {
        if (!message.is_object()) continue;
        if (text_at(message, "role") != "assistant") continue;
        auto calls = message.find("tool_calls");
        bool has_calls = calls != message.end() && calls->is_array() && !calls->empty();
        row.reference_answer = has_calls ? "" : content_text(message);
        if (!has_calls) continue;
        for (const Json& call : *calls) {
            Json function = call.is_object() ? call.value("function", Json()) : Json();
            std::string name = text_at(function, "name");
            if (name.empty()) {
                row.problem = "TRAJECTORY has a tool call without a name";
                return;
            }
            auto arguments = function.find("arguments");
            std::string given = "{}";
            if (arguments != function.end())
                given = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
            row.calls.push_back({current_name(name), given});
        }
    }
}

void add_unique(std::vector<std::string>& list, std::string name) {
    if (!name.empty() && std::find(list.begin(), list.end(), name) == list.end())
        list.push_back(std::move(name));
}

using Cells = std::map<std::string, std::string>; // by column

Row read_row(const Cells& cells, std::string where) {
    auto cell = [&](const char* name) {
        auto found = cells.find(name);
        return found == cells.end() ? std::string() : found->second;
    };
    Row row;
    row.where = std::move(where);
    row.id = std::string(trim(cell("TASK")));
    row.prompt = cell("PROMPT");
    row.split = cell("SPLIT");
    row.image = cell("IMAGE");
    if (row.id.empty()) row.problem = "TASK is empty";
    if (trim(row.prompt).empty()) row.problem = "PROMPT is empty";
    row.enabled = parse_enabled_tools(cell("ENABLED_TOOLS"));
    row.claims = parse_claims(cell("GTFA_CLAIMS"));
    read_trajectory(cell("TRAJECTORY"), row);
    return row;
}

void check_columns(const Cells& cells, const std::string& name) {
    for (const char* needed : {"TASK", "PROMPT", "GTFA_CLAIMS", "ENABLED_TOOLS"})
        if (cells.count(needed) == 0)
            throw Error(ErrorKind::Input, fmt::format("{}: there is no column {}", name, needed))
                .hint("MCP Atlas rows have TASK, ENABLED_TOOLS, PROMPT, TRAJECTORY, GTFA_CLAIMS");
}

std::vector<Row> parse_csv_rows(std::string_view text, const std::string& name) {
    std::vector<CsvRow> lines;
    try {
        lines = parse_csv(text);
    } catch (const CsvError& e) {
        throw Error(ErrorKind::Input, fmt::format("{}: {}", name, e.what()));
    }
    if (lines.empty()) throw Error(ErrorKind::Input, name + ": the file is empty");
    const std::vector<std::string>& header = lines[0].fields;
    Cells empty;
    for (const std::string& column : header) empty[std::string(trim(column))];
    check_columns(empty, name);
    std::vector<Row> rows;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        std::string where = fmt::format("{}:{}", name, lines[i].line);
        if (lines[i].fields.size() != header.size())
            throw Error(ErrorKind::Input, fmt::format("{}: {} fields, the header has {}", where,
                                                      lines[i].fields.size(), header.size()));
        Cells cells;
        for (std::size_t k = 0; k < header.size(); ++k)
            cells[std::string(trim(header[k]))] = lines[i].fields[k];
        rows.push_back(read_row(cells, std::move(where)));
    }
    return rows;
}

std::vector<Row> parse_json_lines(std::string_view text, const std::string& name) {
    std::vector<Row> rows;
    int line = 0;
    for (std::string_view one : split_lines(text)) {
        ++line;
        if (trim(one).empty()) continue;
        std::string where = fmt::format("{}:{}", name, line);
        Json json = parse_json<Json>(one);
        if (!json.is_object()) throw Error(ErrorKind::Input, where + ": not a JSON object");
        Cells cells;
        for (const auto& [key, value] : json.items())
            if (!value.is_null())
                cells[key] = value.is_string() ? value.get<std::string>() : value.dump();
        check_columns(cells, where);
        rows.push_back(read_row(cells, std::move(where)));
    }
    return rows;
}

} // namespace

std::string server_of(std::string_view tool) {
    return std::string(tool.substr(0, tool.find('_')));
}

std::string current_name(std::string_view tool) {
    std::string server = server_of(tool);
    if (server == "brave") return "brave-search" + std::string(tool.substr(server.size()));
    if (server == "MongoDB") return "mongodb" + std::string(tool.substr(server.size()));
    return std::string(tool);
}

std::vector<std::string> parse_enabled_tools(std::string_view text) {
    std::vector<std::string> out;
    Json json = parse_json<Json>(text);
    if (json.is_array()) {
        for (const Json& one : json)
            add_unique(
                out, current_name(one.is_string() ? one.get<std::string>() : text_at(one, "name")));
        return out;
    }
    for (std::string_view name : split(text, ',')) add_unique(out, current_name(trim(name)));
    return out;
}

std::vector<Row> parse_rows(std::string_view text, const std::string& name) {
    bool json = name.ends_with(".jsonl") || name.ends_with(".ndjson");
    if (name.ends_with(".parquet"))
        throw Error(ErrorKind::Unsupported, name + ": Parquet is not read")
            .hint("write the table as CSV or JSON Lines first");
    std::vector<Row> rows = json ? parse_json_lines(text, name) : parse_csv_rows(text, name);
    if (rows.size() > kMaxRows)
        throw Error(ErrorKind::Input, fmt::format("{}: more than {} rows", name, kMaxRows));
    std::map<std::string, std::string> seen;
    for (Row& row : rows) {
        auto [first, fresh] = seen.emplace(row.id, row.where);
        if (!fresh && row.problem.empty()) row.problem = "the same TASK as " + first->second;
    }
    return rows;
}

} // namespace assay::atlas
