// Rows of MCP Atlas as published: CSV (or JSON Lines) with the columns TASK, ENABLED_TOOLS, PROMPT,
// TRAJECTORY, GTFA_CLAIMS and, sometimes, IMAGE and SPLIT. All of it is untrusted text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::atlas {

struct ReferenceCall {
    std::string tool, arguments; // arguments: JSON text
};

struct Row {
    std::string where; // "rows.csv:12", for errors
    std::string id, prompt, split, image;
    std::vector<std::string> enabled; // full tool names, without repetition
    std::vector<ReferenceCall> calls; // of the reference run, in order
    std::string reference_answer;     // its last assistant text after the last call; may be empty
    std::vector<std::string> claims;
    std::string problem; // the row cannot be used, and why; its id is still known
};

// `name` is the file's, and tells the format by its ending (.jsonl, .ndjson; else CSV). Throws
// Error(Input) if the file as a whole makes no sense; a row that does not is one with a problem.
std::vector<Row> parse_rows(std::string_view text, const std::string& name);

// The three published forms: a JSON list of names, a JSON list of objects with a name, names with
// commas between.
std::vector<std::string> parse_enabled_tools(std::string_view text);

// "memory" of "memory_read_graph": what stands before the first underscore.
std::string server_of(std::string_view tool);
// Names of before the servers were renamed: brave_* and MongoDB_*.
std::string current_name(std::string_view tool);

} // namespace assay::atlas
