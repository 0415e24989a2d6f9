#include "openai_response.h"

#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kMostCalls = 1000;

[[noreturn]] void malformed(const std::string& what) {
    throw ModelError(ModelFault::Retry, "malformed answer of the server: " + what);
}

Json parse(std::string_view text) {
    if (nested_too_deep(text)) malformed("nested too deeply");
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded())
        malformed("not JSON: " +
                  utf8_clean(text.substr(0, std::min<std::size_t>(text.size(), 200))));
    if (!json.is_object()) malformed("not a JSON object");
    return json;
}

const Json* member(const Json& json, const char* key) {
    if (!json.is_object()) return nullptr;
    auto at = json.find(key);
    return at == json.end() || at->is_null() ? nullptr : &*at;
}

std::string text_of(const Json& json, const char* key) {
    const Json* value = member(json, key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::uint64_t count_of(const Json& json, const char* key) {
    const Json* value = member(json, key);
    if (value == nullptr || !value->is_number()) return 0;
    double number = value->get<double>();
    return number > 0 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

// A string, or an array of {"type":"text","text"}.
std::string content_of(const Json& json) {
    const Json* content = member(json, "content");
    if (content == nullptr) return {};
    if (content->is_string()) return content->get<std::string>();
    std::string out;
    if (content->is_array())
        for (const Json& part : *content) out += text_of(part, "text");
    return out;
}

std::string reasoning_of(const Json& json) {
    std::string text = text_of(json, "reasoning_content");
    return text.empty() ? text_of(json, "reasoning") : text;
}

Usage usage_of(const Json& json) {
    Usage usage;
    usage.prompt_tokens = count_of(json, "prompt_tokens");
    usage.completion_tokens = count_of(json, "completion_tokens");
    if (const Json* details = member(json, "prompt_tokens_details"))
        usage.cached_tokens = count_of(*details, "cached_tokens");
    if (usage.cached_tokens == 0) usage.cached_tokens = count_of(json, "prompt_cache_hit_tokens");
    usage.cached_tokens = std::min(usage.cached_tokens, usage.prompt_tokens);
    if (const Json* details = member(json, "completion_tokens_details"))
        usage.reasoning_tokens = count_of(*details, "reasoning_tokens");
    if (usage.reasoning_tokens == 0) usage.reasoning_tokens = count_of(json, "reasoning_tokens");
    usage.reasoning_tokens = std::min(usage.reasoning_tokens, usage.completion_tokens);
    return usage;
}

Finish finish_of(const std::string& reason) {
    if (reason == "stop" || reason == "eos" || reason == "stop_sequence") return Finish::Stop;
    if (reason == "length" || reason == "max_tokens") return Finish::Length;
    if (reason == "tool_calls" || reason == "function_call") return Finish::ToolCalls;
    if (reason == "content_filter") return Finish::ContentFilter;
    if (reason == "abort" || reason == "error")
        throw ModelError(ModelFault::Retry, "the server broke the answer off: " + reason);
    return Finish::Unknown;
}

// "token_id:123" where the server was asked for ids; otherwise the id is not known.
std::int32_t token_of(const Json& json) {
    constexpr std::string_view kPrefix = "token_id:";
    std::string text = text_of(json, "token");
    std::int32_t id = -1;
    if (text.rfind(kPrefix, 0) == 0)
        std::from_chars(text.data() + kPrefix.size(), text.data() + text.size(), id);
    return id;
}

float logprob_of(const Json& json) {
    const Json* value = member(json, "logprob");
    return value != nullptr && value->is_number() ? value->get<float>() : 0;
}

void add_logprobs(const Json& choice, std::vector<TokenLogprob>& into) {
    const Json* logprobs = member(choice, "logprobs");
    const Json* content = logprobs == nullptr ? nullptr : member(*logprobs, "content");
    if (content == nullptr || !content->is_array()) return;
    for (const Json& one : *content) {
        TokenLogprob made{token_of(one), logprob_of(one), {}};
        if (const Json* top = member(one, "top_logprobs"); top != nullptr && top->is_array())
            for (const Json& other : *top)
                made.top.emplace_back(token_of(other), logprob_of(other));
        into.push_back(std::move(made));
    }
}

// Fault of an error object inside a body, by its words.
bool says(const std::string& text, std::initializer_list<std::string_view> phrases) {
    return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
        return text.find(phrase) != std::string::npos;
    });
}

bool is_overflow(const std::string& lower) {
    return says(lower,
                {"context_length_exceeded", "maximum context length", "context window",
                 "context length", "prompt is too long", "too many tokens", "maximum prompt length",
                 "input is too long", "reduce the length", "exceeds the maximum number of tokens",
                 "longer than the maximum model length", "max_model_len"});
}

// {"error":{"message","type","code"}}, {"error":"text"}, {"message":..}, {"detail":..} or any text.
struct ErrorText {
    std::string message, code;
};
ErrorText error_text(std::string_view body) {
    ErrorText out;
    Json json = parse_json<Json>(body);
    if (!json.is_object()) {
        out.message = utf8_clean(trim(body.substr(0, std::min<std::size_t>(body.size(), 500))));
        return out;
    }
    const Json* error = member(json, "error");
    const Json& where = error != nullptr && error->is_object() ? *error : json;
    if (error != nullptr && error->is_string()) out.message = error->get<std::string>();
    for (const char* key : {"message", "detail"})
        if (out.message.empty()) out.message = text_of(where, key);
    if (out.message.empty())
        out.message = utf8_clean(body.substr(0, std::min<std::size_t>(body.size(), 500)));
    const Json* code = member(where, "code");
    if (code != nullptr) out.code = code->is_string() ? code->get<std::string>() : code->dump();
    out.code += " " + text_of(where, "type");
    return out;
}

ModelFault fault_of(int status, const std::string& lower) {
    if (status == 400 || status == 413 || status == 422 || status == 500)
        if (is_overflow(lower)) return ModelFault::ContextOverflow;
    switch (status) {
    case 401:
    case 403:
        return ModelFault::Auth;
    case 404:
        return ModelFault::NotFound;
    case 408:
        return ModelFault::Timeout;
    case 409:
    case 425:
        return ModelFault::Retry;
    case 402:
        return ModelFault::Fatal;
    case 429:
        // Used up for good, not for a moment.
        return says(lower, {"insufficient_quota", "billing"}) ? ModelFault::Fatal
                                                              : ModelFault::Overload;
    case 503:
    case 529:
        return ModelFault::Overload;
    default:
        break;
    }
    if (status >= 500) return ModelFault::Retry;
    if (status >= 400) {
        if (says(lower, {"content_filter", "content_policy", "content management policy"}))
            return ModelFault::Refused;
        return ModelFault::BadRequest;
    }
    return ModelFault::Fatal;
}

// An error object in the middle of a stream has no status; its code or type may hold one.
ModelError stream_error(const Json& json) {
    std::string body = json.dump();
    ErrorText text = error_text(body);
    int status = 0;
    std::from_chars(text.code.data(), text.code.data() + text.code.size(), status);
    std::string lower = to_lower(text.message + " " + text.code);
    if (status >= 400) return openai_error(status, body, {}, {});
    ModelFault fault = ModelFault::Retry;
    if (is_overflow(lower))
        fault = ModelFault::ContextOverflow;
    else if (says(lower, {"rate_limit", "rate limit", "overloaded"}))
        fault = ModelFault::Overload;
    return ModelError(fault, "error in the stream: " + text.message);
}

struct CallPieces {
    std::string id, name, arguments;
};

// Ids that are missing or not unique would make it impossible to answer the calls.
void add_calls(std::vector<CallPieces> calls, Message& message) {
    std::map<std::string, int> seen;
    for (std::size_t i = 0; i < calls.size(); ++i) {
        CallPieces& call = calls[i];
        if (call.id.empty()) call.id = "call_" + std::to_string(i + 1);
        std::string wanted = call.id;
        for (int n = 2; seen.count(call.id) != 0; ++n) call.id = wanted + "_" + std::to_string(n);
        seen[call.id] = 1;
        message.parts.push_back(
            ToolCall{std::move(call.id), std::move(call.name), std::move(call.arguments)});
    }
}

std::string arguments_of(const Json& function) {
    const Json* arguments = member(function, "arguments");
    if (arguments == nullptr) return {};
    return arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
}

} // namespace

struct OpenAiStream::State {
    std::string content, reasoning, model, finish;
    std::vector<CallPieces> calls;
    std::map<std::int64_t, std::size_t> by_index;
    std::vector<TokenLogprob> logprobs;
    Usage usage;
    bool done = false, has_usage = false;

    CallPieces& call_for(const Json& piece);
    void add_call(const Json& piece, const DeltaSink& sink);
    void add_delta(const Json& delta, const DeltaSink& sink);
    void add_chunk(const Json& chunk, const DeltaSink& sink);
};

OpenAiStream::OpenAiStream()
    : state_(std::make_unique<State>()) {}
OpenAiStream::~OpenAiStream() = default;
OpenAiStream::OpenAiStream(OpenAiStream&&) noexcept = default;

// The call that a fragment belongs to: by index; without one a new id begins a new call.
CallPieces& OpenAiStream::State::call_for(const Json& piece) {
    const Json* index = member(piece, "index");
    std::string id = text_of(piece, "id");
    bool fresh = false;
    if (index != nullptr && index->is_number_integer()) {
        auto [at, made] = by_index.try_emplace(index->get<std::int64_t>(), calls.size());
        if (!made) return calls[at->second];
        fresh = true;
    } else {
        fresh = calls.empty() || (!id.empty() && id != calls.back().id);
    }
    if (!fresh) return calls.back();
    if (calls.size() >= kMostCalls) malformed("too many tool calls");
    return calls.emplace_back();
}

void OpenAiStream::State::add_call(const Json& piece, const DeltaSink& sink) {
    CallPieces& call = call_for(piece);
    if (call.id.empty()) call.id = text_of(piece, "id");
    const Json* function = member(piece, "function");
    if (function == nullptr) return;
    // The name comes whole with the first fragment; some servers repeat it with each.
    if (call.name.empty()) call.name = text_of(*function, "name");
    std::string more = arguments_of(*function);
    if (more.empty()) return;
    if (sink) sink({Delta::Kind::ToolCall, more});
    call.arguments += more;
}

void OpenAiStream::State::add_delta(const Json& delta, const DeltaSink& sink) {
    std::string text = content_of(delta);
    if (text.empty()) text = text_of(delta, "refusal");
    std::string thought = reasoning_of(delta);
    if (!thought.empty()) {
        if (sink) sink({Delta::Kind::Reasoning, thought});
        reasoning += thought;
    }
    if (!text.empty()) {
        if (sink) sink({Delta::Kind::Text, text});
        content += text;
    }
    if (const Json* pieces = member(delta, "tool_calls"); pieces != nullptr && pieces->is_array())
        for (const Json& piece : *pieces) add_call(piece, sink);
}

void OpenAiStream::State::add_chunk(const Json& chunk, const DeltaSink& sink) {
    if (member(chunk, "error") != nullptr) throw stream_error(chunk);
    if (model.empty()) model = text_of(chunk, "model");
    if (const Json* used = member(chunk, "usage"); used != nullptr && used->is_object()) {
        usage = usage_of(*used);
        has_usage = true;
    }
    const Json* choices = member(chunk, "choices");
    if (choices == nullptr || !choices->is_array()) return;
    for (const Json& choice : *choices) {
        if (count_of(choice, "index") != 0) continue; // we ask for one
        if (const Json* delta = member(choice, "delta")) add_delta(*delta, sink);
        // A whole answer has "message" where a chunk has "delta".
        if (const Json* message = member(choice, "message")) add_delta(*message, sink);
        if (std::string reason = text_of(choice, "finish_reason"); !reason.empty()) finish = reason;
        add_logprobs(choice, logprobs);
    }
}

void OpenAiStream::feed(std::string_view data, const DeltaSink& sink) {
    data = trim(data);
    if (data.empty()) return;
    if (data == "[DONE]") {
        state_->done = true;
        return;
    }
    state_->add_chunk(parse(data), sink);
}

bool OpenAiStream::done() const {
    return state_->done;
}
bool OpenAiStream::began() const {
    return !state_->content.empty() || !state_->reasoning.empty() || !state_->calls.empty();
}

Completion OpenAiStream::finish() {
    State& s = *state_;
    if (s.finish.empty())
        throw ModelError(ModelFault::Retry, "the answer was cut before it was finished");
    Completion out;
    out.finish = finish_of(s.finish);
    if (out.finish == Finish::ContentFilter && s.content.empty() && s.calls.empty())
        throw ModelError(ModelFault::Refused, "the answer was withheld by a content filter");
    out.message.role = Role::Assistant;
    if (!s.reasoning.empty())
        out.message.parts.push_back(ReasoningPart{std::move(s.reasoning), {}});
    if (!s.content.empty()) out.message.parts.push_back(TextPart{std::move(s.content)});
    if (!s.calls.empty() && out.finish == Finish::Stop) out.finish = Finish::ToolCalls;
    add_calls(std::move(s.calls), out.message);
    out.model = std::move(s.model);
    out.usage = s.usage;
    out.logprobs = std::move(s.logprobs);
    return out;
}

Completion parse_openai_response(std::string_view body) {
    OpenAiStream whole;
    Json json = parse(body);
    const Json* choices = member(json, "choices");
    if (member(json, "error") == nullptr &&
        (choices == nullptr || !choices->is_array() || choices->empty()))
        malformed("no choices");
    whole.feed(body, {});
    return whole.finish();
}

ModelError openai_error(int status, std::string_view body, std::string_view retry_after,
                        std::string_view date) {
    ErrorText text = error_text(body);
    std::string lower = to_lower(text.message + " " + text.code);
    ModelFault fault = fault_of(status, lower);
    return ModelError(fault, fmt::format("status {}: {}", status, text.message),
                      parse_retry_after(retry_after, date));
}

} // namespace assay
