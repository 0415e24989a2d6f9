// The function-calling loop. With the defaults of the suite mcp_atlas it behaves as that
// benchmark's own loop does: no system prompt, only the suite's tools, calls counted over the whole
// trial and dropped in the middle of a turn.
#include "assay/base/capture.h"
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "factories.h"
#include "sandbox_tools.h"
#include "settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

namespace {

constexpr int kMaxCutAnswers = 3; // in a row, before the loop gives up
constexpr std::size_t kCompactedBytes = 1500;

constexpr std::string_view kSystemPrompt =
    "You work alone on a task in a Linux machine, through the tools you are given. Nobody will "
    "answer questions: decide yourself. Look before you change something, check what you did by "
    "running it, and call submit when all of the task is done.";

struct LoopSettings {
    bool builtin = true;
    std::string system;
    int max_tool_calls = 0;   // 0: no limit
    bool stop_at_max = false; // drop the rest and end, instead of asking for a last answer
    bool last_text_counts = false;
    bool compact = false;
    std::size_t output_limit = 0; // 0: none
    ShellLimits shell;
    Sampling sampling;
};

LoopSettings read_settings(const AgentSettings& from, const Task& task) {
    LoopSettings out;
    std::string builtin = from.choice("builtin", "auto", {"auto", "all", "none"});
    out.builtin = builtin == "all" || (builtin == "auto" && task.sandbox_tools);
    out.system = from.text("system", out.builtin ? kSystemPrompt : "");
    out.max_tool_calls = from.integer("max_tool_calls", 0);
    out.stop_at_max = from.choice("at_max_tool_calls", "answer", {"answer", "stop"}) == "stop";
    out.last_text_counts = from.choice("answer", "final", {"final", "last_text"}) == "last_text";
    out.compact = from.choice("context", "stop", {"stop", "compact"}) == "compact";
    out.output_limit = static_cast<std::size_t>(from.integer("tool_output_limit", 65536));
    out.shell.timeout_seconds = from.number("shell_timeout", out.shell.timeout_seconds);
    out.shell.max_timeout_seconds = std::max(
        from.number("shell_timeout_max", out.shell.max_timeout_seconds), out.shell.timeout_seconds);
    out.shell.output_bytes = static_cast<std::size_t>(
        from.integer("shell_output", static_cast<int>(out.shell.output_bytes), 200));
    out.sampling = from.sampling();
    return out;
}

// What one trial of the loop holds.
class ToolLoop {
  public:
    ToolLoop(const Task& task, TrialContext& context, LoopSettings settings)
        : context_(context)
        , settings_(std::move(settings))
        , model_(context.model("agent")) {
        request_.sampling = settings_.sampling;
        add_tools();
        if (!settings_.system.empty()) messages_.push_back(system_message(settings_.system));
        say(task.instruction, "instruction");
    }

    void run() {
        int cut_answers = 0;
        while (!done_) {
            std::optional<Completion> answer = ask();
            if (!answer) return finish("the context is full", "context");
            auto message = std::make_shared<const Message>(std::move(answer->message));
            messages_.push_back(message);
            std::string text = message->text();
            if (!trim(text).empty()) last_text_ = text;
            if (settings_.last_text_counts && !last_text_.empty()) context_.submit(last_text_);
            auto calls = message->tool_calls();
            if (calls.empty()) {
                if (answer->finish == Finish::Length && ++cut_answers <= kMaxCutAnswers) {
                    say("Your last message was cut off at the limit of its length. Go on in "
                        "smaller steps.",
                        "cut");
                    continue;
                }
                return context_.submit(std::move(text));
            }
            cut_answers = 0;
            if (!run_calls(calls)) return;
        }
    }

  private:
    void add_tools() {
        for (Tool* tool : context_.tools().tools()) offer(tool);
        if (!settings_.builtin) return;
        builtin_.push_back(make_shell_tool(context_, settings_.shell));
        builtin_.push_back(make_file_tool(context_));
        builtin_.push_back(make_submit_tool(context_, done_));
        for (auto& tool : builtin_)
            if (find(tool->spec().name) == nullptr) offer(tool.get()); // the suite's own go first
    }
    void offer(Tool* tool) {
        tools_.push_back(tool);
        request_.tools.push_back(tool->spec());
    }
    Tool* find(std::string_view name) const {
        for (Tool* tool : tools_)
            if (tool->spec().name == name) return tool;
        return nullptr;
    }

    void say(std::string text, std::string_view why) {
        context_.events().emit(EventKind::Message,
                               fmt::format(R"({{"role":"user","why":{}}})", json_quote(why)),
                               {{"text", context_.blobs().put(text, "text/plain")}});
        messages_.push_back(user_message(std::move(text)));
    }

    // nullopt: the conversation no longer fits and could not be made to.
    std::optional<Completion> ask() {
        for (bool compacted = false;; compacted = true) {
            if (last_chance_) request_.tools.clear();
            request_.seed = context_.seed_key("agent");
            try {
                Completion answer = model_.complete(request_, {}, context_.cancel());
                request_.parent = answer.id;
                return answer;
            } catch (const ModelError& e) {
                if (e.fault() != ModelFault::ContextOverflow) throw;
                if (!settings_.compact || compacted || !compact()) return std::nullopt;
            }
        }
    }

    // Cuts tool results before the last two turns with tools. False if nothing became shorter.
    bool compact() {
        int turns = 0;
        bool shorter = false;
        for (std::size_t i = messages_.size(); i-- > 0;) {
            const Message& message = *messages_[i];
            if (message.role == Role::Assistant && !message.tool_calls().empty()) ++turns;
            if (message.role != Role::Tool || turns < 2) continue;
            Message copy = message;
            for (ContentPart& part : copy.parts) {
                auto* result = std::get_if<ToolResult>(&part);
                if (result == nullptr) continue;
                std::string text = plain_text(result->parts);
                if (text.size() <= kCompactedBytes) continue;
                result->parts = {TextPart{cut_middle(text, kCompactedBytes)}};
                shorter = true;
            }
            messages_[i] = std::make_shared<const Message>(std::move(copy));
        }
        if (shorter)
            request_.parent.reset(); // the text differs from what the parent's ids stand for
        return shorter;
    }

    // False if the loop is over.
    bool run_calls(const std::vector<const ToolCall*>& calls) {
        for (const ToolCall* call : calls) {
            if (done_) { // submit was called: what follows it in the message is not run
                answer_call({call->id, call->name, {TextPart{"not run: submitted"}}, true});
                continue;
            }
            if (settings_.max_tool_calls > 0 && used_calls_ >= settings_.max_tool_calls) {
                if (settings_.stop_at_max || last_chance_) {
                    finish(fmt::format("{} tool calls", settings_.max_tool_calls), "tool_calls");
                    return false;
                }
                refuse_rest_ = true;
                answer_call({call->id,
                             call->name,
                             {TextPart{"Error: no tool calls are left. Answer now."}},
                             true});
                continue;
            }
            ++used_calls_;
            answer_call(shorten(call_tool(find(call->name), *call, context_)));
        }
        last_chance_ = last_chance_ || refuse_rest_;
        return true;
    }

    void answer_call(ToolResult result) { messages_.push_back(tool_message(std::move(result))); }

    ToolResult shorten(ToolResult result) const {
        bool images = model_.capabilities().images;
        for (MediaPart& part : result.parts) {
            if (auto* text = std::get_if<TextPart>(&part)) {
                if (settings_.output_limit != 0 && text->text.size() > settings_.output_limit)
                    text->text = cut_middle(text->text, settings_.output_limit);
            } else if (!images) {
                part = TextPart{plain_text({part})};
            }
        }
        return result;
    }

    // The loop ends without an answer of its own: the last text is the best there is.
    void finish(const std::string& detail, std::string_view cause) {
        context_.events().emit(
            EventKind::Limit,
            fmt::format(R"({{"cause":{},"detail":{}}})", json_quote(cause), json_quote(detail)));
        if (!last_text_.empty()) context_.submit(last_text_);
    }

    TrialContext& context_;
    LoopSettings settings_;
    Model& model_;
    std::vector<std::unique_ptr<Tool>> builtin_;
    std::vector<Tool*> tools_;
    CompletionRequest request_; // grows by the new messages; the next call continues the last
    std::vector<MessageRef>& messages_ = request_.messages;
    std::string last_text_;
    int used_calls_ = 0;
    bool done_ = false, refuse_rest_ = false, last_chance_ = false;
};

class ToolsAgent final : public Agent {
  public:
    explicit ToolsAgent(Settings settings)
        : settings_(std::move(settings)) {}
    const AgentInfo& info() const override { return tools_info(); }
    void run(const Task& task, TrialContext& context) override {
        AgentSettings all(settings_, task, context);
        ToolLoop(task, context, read_settings(all, task)).run();
    }

  private:
    Settings settings_;
};

} // namespace

const AgentInfo& tools_info() {
    static const AgentInfo info{
        "tools", "1", "function calling: shell, file, submit and the suite's tools", true};
    return info;
}

std::unique_ptr<Agent> make_tools(const Settings& settings) {
    Task plain;
    read_settings(AgentSettings(settings), plain); // a bad value is refused before the run
    return std::make_unique<ToolsAgent>(settings);
}

} // namespace assay
