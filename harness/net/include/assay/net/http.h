// HTTP messages as plain data, and the error of everything that speaks HTTP.
#pragma once

#include "assay/base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

// In order, duplicates kept; names compare without case.
class HttpHeaders {
  public:
    using Field = std::pair<std::string, std::string>;

    HttpHeaders() = default;
    HttpHeaders(std::initializer_list<Field> fields)
        : fields_(fields) {}

    void add(std::string name, std::string value);
    void set(std::string name, std::string value); // replaces every field of that name
    void remove(std::string_view name);
    const std::string* find(std::string_view name) const; // the first one, or null
    std::string get(std::string_view name) const;         // empty if absent
    bool has(std::string_view name) const { return find(name) != nullptr; }

    std::size_t size() const { return fields_.size(); }
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }

  private:
    std::vector<Field> fields_;
};

struct HttpRequest {
    std::string method = "GET";
    std::string target = "/"; // path and query; HttpClient::send takes it from the URL if empty
    HttpHeaders headers;
    std::string body;
};

struct HttpResponse {
    int status = 200;
    std::string reason; // empty: the usual one for the status when sent
    HttpHeaders headers;
    std::string body;
    bool ok() const { return status >= 200 && status < 300; }
};

// "Not Found" for 404; "Status" for what has no name.
std::string_view usual_reason(int status);

enum class HttpFailure {
    Resolve,     // no such host
    Connect,     // nobody answers there, or the proxy refused
    Tls,         // handshake or certificate
    Timeout,     // HttpOptions' own limits; the caller's Cancel is Interrupted instead
    Closed,      // the connection ended before the message did
    BadResponse, // not HTTP
    TooLarge,    // header or body over the limit
};
std::string_view to_string(HttpFailure failure);

class HttpError : public Error { // kind: Io
  public:
    HttpError(HttpFailure failure, std::string message)
        : Error(ErrorKind::Io, std::move(message))
        , failure_(failure) {}
    HttpFailure failure() const { return failure_; }

  private:
    HttpFailure failure_;
};

} // namespace assay
