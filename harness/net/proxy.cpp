#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/net/http_client.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace assay {

namespace {

std::string variable(const char* lower, const char* upper) {
    const char* value = std::getenv(lower);
    if (value == nullptr || *value == '\0') value = std::getenv(upper);
    return value != nullptr ? value : "";
}

// An address as bytes: 4 or 16, or none if it is a name.
std::string address_bytes(const std::string& host) {
    char bytes[16];
    if (::inet_pton(AF_INET, host.c_str(), bytes) == 1) return {bytes, 4};
    if (::inet_pton(AF_INET6, host.c_str(), bytes) == 1) return {bytes, 16};
    return {};
}

bool in_block(const std::string& address, std::string_view block) {
    auto slash = block.find('/');
    std::string network = address_bytes(std::string(block.substr(0, slash)));
    if (network.empty() || network.size() != address.size()) return false;
    std::size_t bits = network.size() * 8;
    if (slash != std::string_view::npos) {
        std::string_view text = block.substr(slash + 1);
        std::size_t given = 0;
        auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), given);
        if (failed != std::errc() || end != text.data() + text.size() || given > bits) return false;
        bits = given;
    }
    for (std::size_t i = 0; i < bits; ++i) {
        int mask = 0x80 >> (i % 8);
        if ((network[i / 8] & mask) != (address[i / 8] & mask)) return false;
    }
    return true;
}

bool is_loopback(const std::string& host) {
    std::string address = address_bytes(host);
    if (address.empty()) return host == "localhost" || host.ends_with(".localhost");
    return in_block(address, "127.0.0.0/8") || in_block(address, "::1");
}

// "example.org" covers its subdomains, ".example.org" only those; ":port" narrows either.
bool excludes(std::string_view entry, const Url& url) {
    entry = trim(entry);
    if (entry.empty()) return false;
    if (entry == "*") return true;
    if (std::string address = address_bytes(url.host); !address.empty())
        return in_block(address, entry);
    if (auto colon = entry.rfind(':'); colon != std::string_view::npos) {
        if (entry.substr(colon + 1) != std::to_string(url.port)) return false;
        entry = entry.substr(0, colon);
    }
    std::string name = to_lower(entry);
    if (name.starts_with("*.")) name.erase(0, 1);
    if (name.starts_with('.')) return url.host.ends_with(name);
    return url.host == name || url.host.ends_with("." + name);
}

} // namespace

ProxySettings ProxySettings::from_environment() {
    return {variable("http_proxy", "HTTP_PROXY"), variable("https_proxy", "HTTPS_PROXY"),
            variable("no_proxy", "NO_PROXY")};
}

std::optional<Url> ProxySettings::proxy_for(const Url& url) const {
    const std::string& proxy = url.scheme == "https" ? https : http;
    if (proxy.empty() || is_loopback(url.host)) return std::nullopt;
    for (std::string_view entry : split(no_proxy, ','))
        if (excludes(entry, url)) return std::nullopt;
    try {
        return parse_url(proxy.find("://") == std::string::npos ? "http://" + proxy : proxy);
    } catch (Error& e) {
        e.frame("reading the proxy setting for " + url.scheme);
        throw;
    }
}

} // namespace assay
