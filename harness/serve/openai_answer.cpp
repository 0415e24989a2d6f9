#include "answer.h"
#include "assay/base/text.h"
#include "fields.h"

#include <fmt/format.h>

namespace assay::serve {

std::string reasoning_of(const Message& message) {
    std::string out;
    for (const ContentPart& part : message.parts)
        if (const auto* reasoning = std::get_if<ReasoningPart>(&part)) out += reasoning->text;
    return out;
}

std::string_view rest_after(std::string_view whole, std::string_view sent) {
    if (whole.starts_with(sent)) return whole.substr(sent.size());
    if (sent.starts_with(whole) && trim(sent.substr(whole.size())).empty()) return {};
    throw ApiError(ApiFault::Internal,
                   "the answer was begun anew after a part of it had been sent");
}

namespace {

Json usage_json(const Usage& usage) {
    return {{"prompt_tokens", usage.prompt_tokens},
            {"completion_tokens", usage.completion_tokens},
            {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
            {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
            {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

const char* finish_text(const Completion& completion) {
    switch (completion.finish) {
    case Finish::Length:
        return "length";
    case Finish::ToolCalls:
        return "tool_calls";
    case Finish::ContentFilter:
        return "content_filter";
    case Finish::Stop:
    case Finish::Unknown:
        return completion.message.tool_calls().empty() ? "stop" : "tool_calls";
    }
    return "stop";
}

// A token's text; where nobody knows it, its number in the form that other servers use too.
struct TokenText {
    TokenText(const AnswerFacts& facts, std::int32_t token) {
        if (facts.token_bytes) bytes = facts.token_bytes(token);
        text = bytes ? utf8_clean(*bytes) : fmt::format("token_id:{}", token);
    }
    Json bytes_json() const {
        if (!bytes) return nullptr;
        Json out = Json::array();
        for (char byte : *bytes) out.push_back(static_cast<unsigned char>(byte));
        return out;
    }
    std::optional<std::string> bytes;
    std::string text;
};

Json token_json(const AnswerFacts& facts, std::int32_t token, float logprob) {
    TokenText text(facts, token);
    return {{"token", text.text}, {"logprob", logprob}, {"bytes", text.bytes_json()}};
}

Json chat_logprobs(const AnswerFacts& facts, const Completion& completion) {
    if (!facts.logprobs) return nullptr;
    Json list = Json::array();
    for (const TokenLogprob& one : completion.logprobs) {
        Json json = token_json(facts, one.token, one.logprob);
        json["top_logprobs"] = Json::array();
        for (const auto& [token, logprob] : one.top)
            json["top_logprobs"].push_back(token_json(facts, token, logprob));
        list.push_back(std::move(json));
    }
    return {{"content", std::move(list)}, {"refusal", nullptr}};
}

Json text_logprobs(const AnswerFacts& facts, const Completion& completion) {
    if (!facts.logprobs) return nullptr;
    Json out = {{"tokens", Json::array()},
                {"token_logprobs", Json::array()},
                {"top_logprobs", Json::array()},
                {"text_offset", Json::array()}};
    std::size_t offset = 0;
    for (const TokenLogprob& one : completion.logprobs) {
        TokenText text(facts, one.token);
        out["tokens"].push_back(text.text);
        out["token_logprobs"].push_back(one.logprob);
        Json top = Json::object();
        for (const auto& [token, logprob] : one.top) top[TokenText(facts, token).text] = logprob;
        out["top_logprobs"].push_back(std::move(top));
        out["text_offset"].push_back(offset);
        offset += text.bytes ? text.text.size() : 0;
    }
    return out;
}

Json call_json(const ToolCall& call) {
    return {{"id", call.id},
            {"type", "function"},
            {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json frame(const AnswerFacts& facts, const char* object, Json choices) {
    return {{"id", facts.id},
            {"object", object},
            {"created", facts.created},
            {"model", facts.model},
            {"choices", std::move(choices)}};
}

class OpenAiStream : public AnswerStream {
  public:
    OpenAiStream(AnswerFacts facts, EventOut out, const char* object)
        : facts_(std::move(facts))
        , out_(std::move(out))
        , object_(object) {}

    void finish() override {
        if (facts_.include_usage) {
            Json json = frame(facts_, object_, Json::array());
            json["usage"] = usage_json(usage_);
            send(dump(json));
        }
        send("[DONE]");
    }
    void fail(const ApiError& error) override { send(error_json(error, Protocol::OpenAi)); }

  protected:
    void choice(Json json) {
        Json whole = frame(facts_, object_, Json::array({std::move(json)}));
        if (facts_.include_usage) whole["usage"] = nullptr;
        send(dump(whole));
    }
    void send(std::string data) {
        SseEvent event;
        event.data = std::move(data);
        out_(event);
    }

    const AnswerFacts facts_;
    Usage usage_;

  private:
    EventOut out_;
    const char* object_;
};

class ChatStream final : public OpenAiStream {
  public:
    ChatStream(AnswerFacts facts, EventOut out)
        : OpenAiStream(std::move(facts), std::move(out), "chat.completion.chunk") {}

    void delta(const Delta& delta) override {
        if (delta.kind == Delta::Kind::ToolCall || delta.text.empty())
            return; // told whole, at the end
        bool text = delta.kind == Delta::Kind::Text;
        (text ? text_ : reasoning_) += delta.text;
        piece({{text ? "content" : "reasoning_content", delta.text}});
    }

    void end(const Completion& completion) override {
        std::string reasoning = reasoning_of(completion.message);
        std::string text = completion.message.text();
        if (auto rest = rest_after(reasoning, reasoning_); !rest.empty())
            piece({{"reasoning_content", rest}});
        if (auto rest = rest_after(text, text_); !rest.empty()) piece({{"content", rest}});
        std::size_t index = 0;
        for (const ToolCall* call : completion.message.tool_calls()) {
            Json json = call_json(*call);
            json["index"] = index++;
            piece({{"tool_calls", Json::array({std::move(json)})}});
        }
        if (!began_) piece(Json::object()); // an empty answer has its role, too
        if (facts_.logprobs)
            choice({{"index", 0},
                    {"delta", Json::object()},
                    {"logprobs", chat_logprobs(facts_, completion)},
                    {"finish_reason", nullptr}});
        choice({{"index", 0},
                {"delta", Json::object()},
                {"logprobs", nullptr},
                {"finish_reason", finish_text(completion)}});
        usage_ = usage_ + completion.usage;
    }

  private:
    void piece(Json delta) {
        if (!began_) delta["role"] = "assistant";
        began_ = true;
        choice({{"index", 0},
                {"delta", std::move(delta)},
                {"logprobs", nullptr},
                {"finish_reason", nullptr}});
    }

    bool began_ = false;
    std::string text_, reasoning_; // sent so far
};

class TextStream final : public OpenAiStream {
  public:
    TextStream(AnswerFacts facts, EventOut out)
        : OpenAiStream(std::move(facts), std::move(out), "text_completion") {}

    void delta(const Delta& delta) override {
        if (delta.kind != Delta::Kind::Text || delta.text.empty()) return;
        text_ += delta.text;
        piece(delta.text, nullptr, nullptr);
    }
    void end(const Completion& completion) override {
        std::string text = completion.message.text();
        piece(rest_after(text, text_), text_logprobs(facts_, completion), finish_text(completion));
        usage_ = usage_ + completion.usage;
        text_.clear();
        ++index_;
    }

  private:
    void piece(std::string_view text, Json logprobs, Json finish) {
        choice({{"index", index_},
                {"text", text},
                {"logprobs", std::move(logprobs)},
                {"finish_reason", std::move(finish)}});
    }

    int index_ = 0; // of the prompt
    std::string text_;
};

} // namespace

std::string chat_answer(const AnswerFacts& facts, const Completion& completion) {
    Json message = {{"role", "assistant"}, {"refusal", nullptr}};
    std::string text = completion.message.text();
    auto calls = completion.message.tool_calls();
    message["content"] = text.empty() && !calls.empty() ? Json() : Json(text);
    if (std::string reasoning = reasoning_of(completion.message); !reasoning.empty())
        message["reasoning_content"] = reasoning;
    for (const ToolCall* call : calls) message["tool_calls"].push_back(call_json(*call));
    Json json = frame(facts, "chat.completion",
                      Json::array({{{"index", 0},
                                    {"message", std::move(message)},
                                    {"logprobs", chat_logprobs(facts, completion)},
                                    {"finish_reason", finish_text(completion)}}}));
    json["usage"] = usage_json(completion.usage);
    return dump(json);
}

std::string completions_answer(const AnswerFacts& facts,
                               const std::vector<Completion>& completions) {
    Json choices = Json::array();
    Usage usage;
    for (const Completion& completion : completions) {
        choices.push_back({{"index", choices.size()},
                           {"text", completion.message.text()},
                           {"logprobs", text_logprobs(facts, completion)},
                           {"finish_reason", finish_text(completion)}});
        usage = usage + completion.usage;
    }
    Json json = frame(facts, "text_completion", std::move(choices));
    json["usage"] = usage_json(usage);
    return dump(json);
}

std::unique_ptr<AnswerStream> chat_stream(AnswerFacts facts, EventOut out) {
    return std::make_unique<ChatStream>(std::move(facts), std::move(out));
}

std::unique_ptr<AnswerStream> completions_stream(AnswerFacts facts, EventOut out) {
    return std::make_unique<TextStream>(std::move(facts), std::move(out));
}

} // namespace assay::serve
