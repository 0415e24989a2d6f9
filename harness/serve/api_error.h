// What a client is told when its request fails, in the shape of each protocol.
#pragma once

#include "assay/api/model.h"
#include "assay/net/http.h"

#include <optional>
#include <stdexcept>
#include <string>

namespace assay::serve {

enum class Protocol { OpenAi, Anthropic };

enum class ApiFault {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,      // path
    ModelNotFound, // model
    TooLarge,
    ContextOverflow,
    Refused, // the model's provider refused to answer
    Overload,
    Timeout,
    Stopped,  // a budget or the end of the trial
    Internal, // may go by itself
    Fatal,    // a retry will not mend it
};

class ApiError : public std::runtime_error {
  public:
    // `parameter` is the path of the field at fault: "messages[2].content"; empty: none.
    ApiError(ApiFault fault, const std::string& message, std::string parameter = {})
        : std::runtime_error(message)
        , fault_(fault)
        , parameter_(std::move(parameter)) {}
    ApiFault fault() const { return fault_; }
    const std::string& parameter() const { return parameter_; }
    std::optional<double> retry_after_seconds; // if it is known

  private:
    ApiFault fault_;
    std::string parameter_;
};

ApiError api_error(const ModelError& error);

int status_of(ApiFault fault, Protocol protocol);
std::string error_json(const ApiError& error, Protocol protocol); // also the data of an event
HttpResponse error_response(const ApiError& error, Protocol protocol);
// Before the protocol is known: a shape that the clients of both understand.
HttpResponse refusal(int status, const std::string& message);

} // namespace assay::serve
