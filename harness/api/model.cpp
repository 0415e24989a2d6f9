#include "assay/api/model.h"

namespace assay {

std::string SeedKey::text() const {
    return std::to_string(seed) + "/" + task + "/" + std::to_string(attempt) + "/" + role + "/" +
           std::to_string(turn);
}

std::string to_string(const ToolChoice& choice) {
    switch (choice.kind) {
    case ToolChoice::Kind::Auto:
        return "auto";
    case ToolChoice::Kind::None:
        return "none";
    case ToolChoice::Kind::Required:
        return "required";
    case ToolChoice::Kind::Named:
        return choice.name;
    }
    return "auto";
}

Usage operator+(const Usage& a, const Usage& b) {
    Usage sum;
    sum.prompt_tokens = a.prompt_tokens + b.prompt_tokens;
    sum.cached_tokens = a.cached_tokens + b.cached_tokens;
    sum.completion_tokens = a.completion_tokens + b.completion_tokens;
    sum.reasoning_tokens = a.reasoning_tokens + b.reasoning_tokens;
    if (a.cost || b.cost) sum.cost = a.cost.value_or(0) + b.cost.value_or(0);
    return sum;
}

std::string_view to_string(Finish finish) {
    switch (finish) {
    case Finish::Stop:
        return "stop";
    case Finish::Length:
        return "length";
    case Finish::ToolCalls:
        return "tool_calls";
    case Finish::ContentFilter:
        return "content_filter";
    case Finish::Unknown:
        return "unknown";
    }
    return "unknown";
}

std::string_view to_string(ModelFault fault) {
    switch (fault) {
    case ModelFault::Retry:
        return "retry";
    case ModelFault::Overload:
        return "overload";
    case ModelFault::Timeout:
        return "timeout";
    case ModelFault::ContextOverflow:
        return "context-overflow";
    case ModelFault::BadRequest:
        return "bad-request";
    case ModelFault::Auth:
        return "auth";
    case ModelFault::NotFound:
        return "not-found";
    case ModelFault::Refused:
        return "refused";
    case ModelFault::ReplayMismatch:
        return "replay-mismatch";
    case ModelFault::Fatal:
        return "fatal";
    }
    return "fatal";
}

ModelFault model_fault_from(std::string_view text) {
    for (int i = 0; i <= static_cast<int>(ModelFault::Fatal); ++i)
        if (text == to_string(static_cast<ModelFault>(i))) return static_cast<ModelFault>(i);
    throw Error(ErrorKind::Input, "'" + std::string(text) + "' is no fault of a model");
}

std::vector<TokenLogprob> Model::score(std::span<const std::int32_t>, const Cancel&) {
    throw Error(ErrorKind::Unsupported, name() + " cannot score token ids");
}

} // namespace assay
