#include "api_error.h"

#include "fields.h"

#include <algorithm>
#include <cmath>

namespace assay::serve {

namespace {

struct Shape {
    int openai_status;
    const char* openai_type;
    const char* openai_code; // nullptr: null
    int anthropic_status;
    const char* anthropic_type;
    bool retry; // the official clients retry by the status, unless told not to
};

Shape shape_of(ApiFault fault) {
    constexpr const char* kInvalid = "invalid_request_error";
    switch (fault) {
    case ApiFault::BadRequest:
        return {400, kInvalid, nullptr, 400, kInvalid, false};
    case ApiFault::Unauthorized:
        return {401, kInvalid, "invalid_api_key", 401, "authentication_error", false};
    case ApiFault::Forbidden:
        return {403, kInvalid, nullptr, 403, "permission_error", false};
    case ApiFault::NotFound:
        return {404, kInvalid, nullptr, 404, "not_found_error", false};
    case ApiFault::ModelNotFound:
        return {404, kInvalid, "model_not_found", 404, "not_found_error", false};
    case ApiFault::TooLarge:
        return {413, kInvalid, nullptr, 413, "request_too_large", false};
    case ApiFault::ContextOverflow:
        return {400, kInvalid, "context_length_exceeded", 400, kInvalid, false};
    case ApiFault::Refused:
        return {400, kInvalid, "content_filter", 400, kInvalid, false};
    case ApiFault::Overload:
        return {429, "rate_limit_error", "rate_limit_exceeded", 529, "overloaded_error", true};
    case ApiFault::Timeout:
        return {504, "server_error", nullptr, 504, "timeout_error", true};
    case ApiFault::Stopped:
        return {503, "server_error", "stopped", 503, "api_error", false};
    case ApiFault::Internal:
        return {500, "server_error", nullptr, 500, "api_error", true};
    case ApiFault::Fatal:
        return {500, "server_error", nullptr, 500, "api_error", false};
    }
    return {500, "server_error", nullptr, 500, "api_error", false};
}

ApiFault fault_of(ModelFault fault) {
    switch (fault) {
    case ModelFault::Retry:
        return ApiFault::Internal;
    case ModelFault::Overload:
        return ApiFault::Overload;
    case ModelFault::Timeout:
        return ApiFault::Timeout;
    case ModelFault::ContextOverflow:
        return ApiFault::ContextOverflow;
    case ModelFault::BadRequest:
        return ApiFault::BadRequest;
    case ModelFault::Refused:
        return ApiFault::Refused;
    case ModelFault::Auth: // ours, with the model behind: not the client's
    case ModelFault::NotFound:
    case ModelFault::ReplayMismatch:
    case ModelFault::Fatal:
        return ApiFault::Fatal;
    }
    return ApiFault::Fatal;
}

Json or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

} // namespace

ApiError api_error(const ModelError& error) {
    ApiError out(fault_of(error.fault()), error.message());
    out.retry_after_seconds = error.retry_after_seconds();
    return out;
}

int status_of(ApiFault fault, Protocol protocol) {
    Shape shape = shape_of(fault);
    return protocol == Protocol::OpenAi ? shape.openai_status : shape.anthropic_status;
}

std::string error_json(const ApiError& error, Protocol protocol) {
    Shape shape = shape_of(error.fault());
    std::string message = error.what();
    if (protocol == Protocol::OpenAi) {
        Json code = shape.openai_code == nullptr ? Json() : Json(shape.openai_code);
        return dump({{"error",
                      {{"message", message},
                       {"type", shape.openai_type},
                       {"param", or_null(error.parameter())},
                       {"code", code}}}});
    }
    // Agents know by these words that they have to shorten the conversation.
    if (error.fault() == ApiFault::ContextOverflow) message = "prompt is too long: " + message;
    return dump({{"type", "error"},
                 {"error", {{"type", shape.anthropic_type}, {"message", message}}},
                 {"request_id", nullptr}});
}

HttpResponse error_response(const ApiError& error, Protocol protocol) {
    HttpResponse response;
    response.status = status_of(error.fault(), protocol);
    response.headers.set("Content-Type", "application/json");
    response.headers.set("x-should-retry", shape_of(error.fault()).retry ? "true" : "false");
    if (error.fault() == ApiFault::Unauthorized) response.headers.set("WWW-Authenticate", "Bearer");
    if (error.retry_after_seconds)
        response.headers.set("Retry-After", std::to_string(static_cast<long>(std::ceil(
                                                std::min(*error.retry_after_seconds, 1e6)))));
    response.body = error_json(error, protocol);
    return response;
}

HttpResponse refusal(int status, const std::string& message) {
    HttpResponse response;
    response.status = status;
    response.headers.set("Content-Type", "application/json");
    const char* type = status == 413 ? "request_too_large" : "invalid_request_error";
    response.body = dump(
        {{"type", "error"},
         {"error", {{"type", type}, {"message", message}, {"param", nullptr}, {"code", nullptr}}}});
    return response;
}

} // namespace assay::serve
