// A small MCP server over stdio, for sandboxes without Node: one static program that plays several
// servers (main.cpp). Legacy era, single-threaded: one request after the other.
#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace kit {

using Json = nlohmann::ordered_json;

class ToolError : public std::runtime_error { // shown to the model as a failed tool
    using std::runtime_error::runtime_error;
};

struct Tool {
    std::string name, description;
    Json properties = Json::object(); // of the input schema
    std::vector<std::string> required;
    std::function<std::string(const Json& arguments)> run; // its text; throws ToolError
};

// Serves until stdin ends.
void serve(const std::string& name, const std::vector<Tool>& tools);

// An argument; throws ToolError if it is absent or of another type.
std::string text_argument(const Json& arguments, const char* key);
std::string text_argument(const Json& arguments, const char* key, const std::string& otherwise);

// The tools that each role has. Folders are absolute.
std::vector<Tool> kit_tools(const std::string& data_folder);
std::vector<Tool> calculator_tools();
std::vector<Tool> command_tools(const std::string& data_folder);
std::vector<Tool> code_tools(const std::string& work_folder);

// Value of + - * / // % ** ( ) and a few functions over doubles. Throws ToolError.
double evaluate(const std::string& expression);
std::string number_text(double value); // shortest form that reads back: "4.25625", "32.5", "7"

} // namespace kit
