#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "assay/reports/export.h"
#include "atif.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>
#include <set>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

// ATIF forbids unknown keys at every level; what is ours goes into "extra".
class AtifBuilder {
  public:
    AtifBuilder(RunData& run, const ArmRecord& arm, const TryRow& row)
        : run_(run)
        , arm_(arm)
        , row_(row) {
        for (CallRecord& call : run.reader->calls(row.row)) {
            std::string id = call.id.hex();
            calls_.emplace(std::move(id), std::move(call));
        }
    }

    std::string build() {
        run_.reader->events(row_.row, [&](const EventRow& event) {
            add(event);
            return true;
        });
        if (steps_.empty()) // a trajectory has at least one step
            push("system", "The agent " + arm_.agent + " called no model.", row_.began);
        Json out = {{"schema_version", "ATIF-v1.7"},
                    {"session_id", row_.slot.hex() + "-" + std::to_string(row_.number)},
                    {"agent", agent()},
                    {"steps", std::move(steps_)},
                    {"final_metrics", final_metrics()},
                    {"extra",
                     {{"task", row_.task},
                      {"attempt", row_.attempt},
                      {"class", to_string(row_.end.attempt_class)}}}};
        return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    }

  private:
    Json agent() const {
        Json out = {{"name", arm_.agent},
                    {"version", arm_.agent_version.empty() ? "0" : arm_.agent_version}};
        if (!arm_.model.empty()) out["model_name"] = arm_.model;
        return out;
    }

    Json final_metrics() const {
        const Usage& usage = row_.end.usage;
        Json out = {{"total_prompt_tokens", usage.prompt_tokens},
                    {"total_completion_tokens", usage.completion_tokens},
                    {"total_cached_tokens", usage.cached_tokens},
                    {"total_steps", steps_made_}};
        if (usage.cost) out["total_cost_usd"] = *usage.cost;
        return out;
    }

    Json& push(const char* source, std::string message, std::int64_t time) {
        steps_.push_back({{"step_id", ++steps_made_},
                          {"timestamp", iso8601(time)},
                          {"source", source},
                          {"message", std::move(message)}});
        return steps_.back();
    }

    void add(const EventRow& event) {
        if (event.kind == EventKind::Model)
            add_call(event);
        else if (event.kind == EventKind::ToolCall && event.span)
            turn_of_tool_[event.sequence] = *event.span;
        else if (event.kind == EventKind::ToolResult)
            add_result(event);
    }

    void add_call(const EventRow& event) {
        Json data = parse_json<Json>(event.json);
        auto found = calls_.find(data.is_object() ? data.value("call", "") : "");
        if (found == calls_.end() || found->second.role != "agent") return;
        const CallRecord& call = found->second;
        for (const BlobRef& ref : call.added) {
            Message message = message_from_json(run_.reader->blob(ref));
            // Results of tools are already observations, the assistant's own words agent steps.
            if (message.role == Role::System || message.role == Role::User)
                push(message.role == Role::System ? "system" : "user", message.text(), event.time);
        }
        if (call.error) {
            push("system",
                 "The model call ended with " + call.finish + ": " + run_.reader->blob(*call.error),
                 event.time);
            return;
        }
        Message answer = message_from_json(run_.reader->blob(call.output));
        Json& step = push("agent", answer.text(), event.time);
        if (!call.model.empty()) step["model_name"] = call.model;
        std::string reasoning;
        Json tool_calls = Json::array();
        calls_of_step_.clear();
        for (const ContentPart& part : answer.parts) {
            if (const auto* thought = std::get_if<ReasoningPart>(&part)) reasoning += thought->text;
            if (const auto* tool = std::get_if<ToolCall>(&part)) {
                calls_of_step_.insert(tool->id);
                tool_calls.push_back({{"tool_call_id", tool->id},
                                      {"function_name", tool->name},
                                      {"arguments", arguments(tool->arguments)}});
            }
        }
        if (!reasoning.empty()) step["reasoning_content"] = reasoning;
        if (!tool_calls.empty()) step["tool_calls"] = std::move(tool_calls);
        step["metrics"] = metrics(call);
        step_of_turn_[event.sequence] = steps_.size() - 1;
    }

    static Json arguments(const std::string& text) {
        Json parsed = parse_json<Json>(text);
        return parsed.is_object() ? parsed : Json{{"malformed_arguments", text}};
    }

    static Json metrics(const CallRecord& call) {
        Json out = {{"prompt_tokens", call.usage.prompt_tokens},
                    {"completion_tokens", call.usage.completion_tokens},
                    {"cached_tokens", call.usage.cached_tokens}};
        if (call.usage.cost) out["cost_usd"] = *call.usage.cost;
        if (!call.completion_ids.empty()) out["completion_token_ids"] = call.completion_ids;
        if (!call.logprobs.empty()) {
            Json list = Json::array();
            for (const TokenLogprob& token : call.logprobs) list.push_back(token.logprob);
            out["logprobs"] = std::move(list);
        }
        return out;
    }

    void add_result(const EventRow& event) {
        auto tool = turn_of_tool_.find(event.span.value_or(-1));
        if (tool == turn_of_tool_.end()) return;
        auto step = step_of_turn_.find(tool->second);
        if (step == step_of_turn_.end()) return; // used by the harness, not by the agent
        Json data = parse_json<Json>(event.json);
        Json result = Json::object();
        std::string id = data.is_object() ? data.value("id", "") : "";
        if (calls_of_step_.contains(id)) result["source_call_id"] = id;
        std::string text;
        for (const auto& [name, ref] : event.blobs)
            if (name == "text") text += run_.reader->blob(ref);
        result["content"] = std::move(text);
        steps_[step->second]["observation"]["results"].push_back(std::move(result));
    }

    RunData& run_;
    const ArmRecord& arm_;
    const TryRow& row_;
    std::map<std::string, CallRecord> calls_;
    std::set<std::string> calls_of_step_;
    std::map<std::int64_t, std::int64_t> turn_of_tool_; // by the call's event: the turn's
    std::map<std::int64_t, std::size_t> step_of_turn_;  // by the turn's event
    Json steps_ = Json::array();
    int steps_made_ = 0;
};

} // namespace

std::string atif_json(RunData& run, const ArmRecord& arm, const TryRow& row) {
    return AtifBuilder(run, arm, row).build();
}

std::string file_name(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && !out.empty());
        out += plain ? c : '_';
    }
    if (out.size() > 100) out = out.substr(0, 80) + "-" + sha256(text).hex().substr(0, 12);
    return out.empty() ? "_" : out;
}

void export_atif(const Path& file, const Path& out) {
    RunData run = load_run(file);
    RealFileSystem fs;
    fs.make_folders(out);
    for (std::size_t i = 0; i < run.attempts.size(); ++i) {
        const AttemptData& attempt = run.attempts[i];
        if (attempt.pending) continue;
        for (const ArmRecord& arm : run.plan.arms) {
            if (arm.id != run.plan.slots[i].arm) continue;
            std::string name = fmt::format("{}__{}__{}.json", file_name(attempt.row.task),
                                           file_name(arm.label), attempt.row.attempt);
            fs.write(out / name, atif_json(run, arm, attempt.row));
        }
    }
}

} // namespace assay
