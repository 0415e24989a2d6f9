#include "assay/api/trial.h"

#include "assay/api/agent.h"
#include "assay/api/suite.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace assay {

void check_settings(std::string_view owner, const SettingList& known, const Settings& given) {
    for (const auto& [key, value] : given) {
        std::string list;
        bool found = false;
        for (const auto& [name, help] : known) {
            found = found || name == key;
            list += (list.empty() ? "" : ", ") + name;
        }
        if (found) continue;
        throw Error(ErrorKind::Usage, fmt::format("{} has no setting '{}'", owner, key))
            .hint(list.empty() ? "it has no settings" : "it has: " + list);
    }
}

std::unique_ptr<ToolSet> Suite::tools(const Task&, TrialContext&) {
    return std::make_unique<OwnedToolSet>();
}
void Suite::prepare(const Task&, TrialContext&) {}
void Suite::solve(const Task& task, TrialContext&) {
    throw Error(ErrorKind::Unsupported, "task " + task.header.id + " of suite " + info().name +
                                            " has no reference solution");
}
void Agent::setup(const Task&, TrialContext&) {}

namespace {

// nullopt if the text is a JSON object, else what is wrong with it.
std::optional<std::string> arguments_problem(std::string_view text) {
    if (trim(text).empty()) return std::nullopt; // some models send nothing for no arguments
    if (nested_too_deep(text)) return "the arguments are nested too deeply";
    if (trim(text).front() == '{' && nlohmann::json::accept(text)) return std::nullopt;
    auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded()) {
        try {
            [[maybe_unused]] auto again = nlohmann::json::parse(text);
        } catch (const nlohmann::json::exception& e) {
            return "the arguments are not valid JSON: " + std::string(e.what());
        }
    }
    if (!json.is_object()) return "the arguments must be a JSON object";
    return std::nullopt;
}

ToolOutcome outcome_of(Tool* tool, const ToolCall& call, TrialContext& context) {
    if (tool == nullptr) {
        return text_outcome("Error: there is no tool named '" + call.name + "'", true);
    }
    if (auto problem = arguments_problem(call.arguments))
        return text_outcome("Error: " + *problem, true);
    std::string_view arguments = call.arguments;
    if (trim(arguments).empty()) arguments = "{}";
    return tool->call(arguments, context.cancel());
}

} // namespace

ToolResult call_tool(Tool* tool, const ToolCall& call, TrialContext& context) {
    Span span(context.events(), EventKind::ToolCall,
              fmt::format(R"({{"id":{},"name":{}}})", json_quote(call.id), json_quote(call.name)),
              {{"arguments", context.blobs().put(call.arguments, "application/json")}});
    auto began = context.clock().now();
    ToolOutcome outcome = outcome_of(tool, call, context);
    double took = seconds(context.clock().now() - began);
    std::vector<EventBlob> blobs;
    for (const MediaPart& part : outcome.parts) {
        if (const auto* text = std::get_if<TextPart>(&part))
            blobs.push_back({"text", context.blobs().put(text->text, "text/plain")});
        else
            blobs.push_back({"image", std::get<ImagePart>(part).blob});
    }
    if (outcome.structured)
        blobs.push_back(
            {"structured", context.blobs().put(*outcome.structured, "application/json")});
    span.end(EventKind::ToolResult,
             fmt::format(R"({{"id":{},"name":{},"is_error":{},"seconds":{:.6f}}})",
                         json_quote(call.id), json_quote(call.name), outcome.is_error, took),
             std::move(blobs));
    return {call.id, call.name, std::move(outcome.parts), outcome.is_error};
}

ExecResult recorded_exec(Sandbox& sandbox, const std::vector<std::string>& argv,
                         const ExecOptions& options, TrialContext& context) {
    ExecResult result = sandbox.exec(argv, options, context.cancel());
    std::string list;
    for (const std::string& word : argv) {
        if (!list.empty()) list += ',';
        list += json_quote(word);
    }
    context.events().emit(
        EventKind::Exec,
        fmt::format(R"({{"sandbox":{},"argv":[{}],"code":{},"signal":{},"timed_out":{},)"
                    R"("seconds":{:.6f},"out_bytes":{},"err_bytes":{}}})",
                    json_quote(sandbox.name()), list, result.status.code, result.status.signal,
                    result.timed_out, result.seconds, result.out_bytes, result.err_bytes),
        {{"out", context.blobs().put(result.out, "text/plain")},
         {"err", context.blobs().put(result.err, "text/plain")}});
    return result;
}

} // namespace assay
