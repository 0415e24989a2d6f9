#include "assay/net/http.h"

#include "assay/base/text.h"

#include <algorithm>

namespace assay {

void HttpHeaders::add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
}

void HttpHeaders::set(std::string name, std::string value) {
    remove(name);
    add(std::move(name), std::move(value));
}

void HttpHeaders::remove(std::string_view name) {
    std::erase_if(fields_, [&](const Field& field) { return equals_nocase(field.first, name); });
}

const std::string* HttpHeaders::find(std::string_view name) const {
    for (const Field& field : fields_)
        if (equals_nocase(field.first, name)) return &field.second;
    return nullptr;
}

std::string HttpHeaders::get(std::string_view name) const {
    const std::string* found = find(name);
    return found != nullptr ? *found : std::string();
}

std::string_view usual_reason(int status) {
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 529:
        return "Overloaded";
    default:
        return "Status";
    }
}

std::string_view to_string(HttpFailure failure) {
    switch (failure) {
    case HttpFailure::Resolve:
        return "resolve";
    case HttpFailure::Connect:
        return "connect";
    case HttpFailure::Tls:
        return "tls";
    case HttpFailure::Timeout:
        return "timeout";
    case HttpFailure::Closed:
        return "closed";
    case HttpFailure::BadResponse:
        return "bad-response";
    case HttpFailure::TooLarge:
        return "too-large";
    }
    return "closed";
}

} // namespace assay
