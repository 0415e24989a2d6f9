#include "answer.h"
#include "assay/base/json.h"
#include "fields.h"

namespace assay::serve {

namespace {

Json usage_json(const Usage& usage) {
    std::uint64_t cached = std::min(usage.cached_tokens, usage.prompt_tokens);
    return {{"input_tokens", usage.prompt_tokens - cached},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", cached},
            {"output_tokens", usage.completion_tokens}};
}

const char* stop_reason(const Completion& completion) {
    switch (completion.finish) {
    case Finish::Length:
        return "max_tokens";
    case Finish::ToolCalls:
        return "tool_use";
    case Finish::ContentFilter:
        return "refusal";
    case Finish::Stop:
    case Finish::Unknown:
        break;
    }
    if (!completion.message.tool_calls().empty()) return "tool_use";
    return completion.stop_sequence.empty() ? "end_turn" : "stop_sequence";
}

Json stop_sequence(const Completion& completion) {
    return completion.stop_sequence.empty() ? Json() : Json(completion.stop_sequence);
}

// This protocol has objects only: what a model wrote that is none goes to the client as a field, so
// that its tool can tell the model what was wrong.
Json input_of(const ToolCall& call) {
    Json input = parse_json<Json>(call.arguments.empty() ? "{}" : call.arguments);
    if (!input.is_object()) return {{"malformed", call.arguments}};
    return input;
}

Json message_json(const AnswerFacts& facts, Json content) {
    return {{"id", facts.id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", facts.model},
            {"content", std::move(content)},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
}

Json content_of(const Message& message) {
    Json content = Json::array();
    for (const ContentPart& part : message.parts) {
        if (const auto* text = std::get_if<TextPart>(&part)) {
            if (!text->text.empty())
                content.push_back({{"type", "text"}, {"text", text->text}, {"citations", nullptr}});
        } else if (const auto* reasoning = std::get_if<ReasoningPart>(&part)) {
            content.push_back({{"type", "thinking"},
                               {"thinking", reasoning->text},
                               {"signature", reasoning->signature}});
        } else if (const auto* call = std::get_if<ToolCall>(&part)) {
            content.push_back({{"type", "tool_use"},
                               {"id", call->id},
                               {"name", call->name},
                               {"input", input_of(*call)}});
        }
    }
    return content;
}

class MessagesStream final : public AnswerStream {
  public:
    MessagesStream(AnswerFacts facts, EventOut out)
        : facts_(std::move(facts))
        , out_(std::move(out)) {}

    void delta(const Delta& delta) override {
        if (delta.kind == Delta::Kind::ToolCall || delta.text.empty()) return; // whole, at the end
        begin();
        if (delta.kind == Delta::Kind::Text) {
            text_ += delta.text;
            piece("text", {{"type", "text_delta"}, {"text", delta.text}});
        } else {
            reasoning_ += delta.text;
            piece("thinking", {{"type", "thinking_delta"}, {"thinking", delta.text}});
        }
    }

    void end(const Completion& completion) override {
        begin();
        const Message& message = completion.message;
        std::string reasoning = reasoning_of(message), text = message.text();
        if (auto rest = rest_after(reasoning, reasoning_); !rest.empty())
            piece("thinking", {{"type", "thinking_delta"}, {"thinking", rest}});
        if (auto rest = rest_after(text, text_); !rest.empty())
            piece("text", {{"type", "text_delta"}, {"text", rest}});
        close_block();
        for (const ToolCall* call : message.tool_calls()) {
            open_block("tool_use", {{"type", "tool_use"},
                                    {"id", call->id},
                                    {"name", call->name},
                                    {"input", Json::object()}});
            block_delta({{"type", "input_json_delta"}, {"partial_json", dump(input_of(*call))}});
            close_block();
        }
        send("message_delta", {{"delta",
                                {{"stop_reason", stop_reason(completion)},
                                 {"stop_sequence", stop_sequence(completion)}}},
                               {"usage", usage_json(completion.usage)}});
    }
    void finish() override { send("message_stop", Json::object()); }
    void fail(const ApiError& error) override {
        SseEvent event;
        event.event = "error";
        event.data = error_json(error, Protocol::Anthropic);
        out_(event);
    }

  private:
    // How long the prompt is, is known at the end only: message_delta tells it.
    void begin() {
        if (began_) return;
        began_ = true;
        Json message = message_json(facts_, Json::array());
        message["usage"] = usage_json({});
        send("message_start", {{"message", std::move(message)}});
    }
    void piece(const std::string& kind, Json delta) {
        if (open_ != kind) {
            close_block();
            if (kind == "text")
                open_block(kind, {{"type", "text"}, {"text", ""}});
            else
                open_block(kind, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
        }
        block_delta(std::move(delta));
    }
    void open_block(const std::string& kind, Json block) {
        open_ = kind;
        send("content_block_start", {{"index", index_}, {"content_block", std::move(block)}});
    }
    void block_delta(Json delta) {
        send("content_block_delta", {{"index", index_}, {"delta", std::move(delta)}});
    }
    void close_block() {
        if (open_.empty()) return;
        send("content_block_stop", {{"index", index_++}});
        open_.clear();
    }
    void send(const std::string& type, const Json& fields) {
        Json json = {{"type", type}};
        json.update(fields);
        SseEvent event;
        event.event = type;
        event.data = dump(json);
        out_(event);
    }

    const AnswerFacts facts_;
    EventOut out_;
    bool began_ = false;
    std::string open_; // kind of the block that is open; empty: none
    int index_ = 0;
    std::string text_, reasoning_; // sent so far
};

} // namespace

std::string messages_answer(const AnswerFacts& facts, const Completion& completion) {
    Json json = message_json(facts, content_of(completion.message));
    json["stop_reason"] = stop_reason(completion);
    json["stop_sequence"] = stop_sequence(completion);
    json["usage"] = usage_json(completion.usage);
    return dump(json);
}

std::unique_ptr<AnswerStream> messages_stream(AnswerFacts facts, EventOut out) {
    return std::make_unique<MessagesStream>(std::move(facts), std::move(out));
}

} // namespace assay::serve
