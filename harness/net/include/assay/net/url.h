// http and https URLs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

struct Url {
    std::string scheme;   // "http" or "https"
    std::string userinfo; // "user:password", percent-encoding undone
    std::string host;     // lower case; an IPv6 address without its brackets
    std::uint16_t port = 0;
    std::string target; // path and query, at least "/"; the fragment is dropped

    std::string authority() const; // host, and port if it is not the scheme's own; for Host:
    std::string safe_text() const; // for messages: without userinfo and query
};

// Throws Error(Input).
Url parse_url(std::string_view text);

std::string percent_decode(std::string_view text);
std::string percent_encode(std::string_view text); // all but A-Z a-z 0-9 - . _ ~

} // namespace assay
