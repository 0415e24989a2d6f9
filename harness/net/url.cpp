#include "assay/net/url.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace assay {

namespace {

// The text itself is not shown: it may hold a password.
[[noreturn]] void bad(std::string_view why) {
    throw Error(ErrorKind::Input, fmt::format("not a URL of http or https: {}", why));
}

std::uint16_t default_port(std::string_view scheme) {
    return scheme == "https" ? 443 : 80;
}

std::uint16_t parse_port(std::string_view text) {
    unsigned value = 0;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535)
        bad(fmt::format("port '{}'", text));
    return static_cast<std::uint16_t>(value);
}

// "host", "host:port", "[::1]:port"
void parse_host(std::string_view text, Url& url) {
    std::string_view rest;
    if (text.starts_with('[')) {
        auto end = text.find(']');
        if (end == std::string_view::npos) bad("']' is missing");
        url.host = to_lower(text.substr(1, end - 1));
        rest = text.substr(end + 1);
        auto address = [](unsigned char c) {
            return c == ':' || c == '.' || std::isxdigit(c) != 0;
        };
        if (!std::all_of(url.host.begin(), url.host.end(), address)) bad("IPv6 address");
    } else {
        auto colon = text.find(':');
        url.host = to_lower(text.substr(0, colon));
        if (colon != std::string_view::npos) rest = text.substr(colon);
        auto name = [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
        };
        if (!std::all_of(url.host.begin(), url.host.end(), name)) bad("host name");
    }
    if (url.host.empty()) bad("no host");
    url.port = default_port(url.scheme);
    if (rest.empty()) return;
    if (rest[0] != ':') bad("what follows the host");
    url.port = parse_port(rest.substr(1));
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

} // namespace

std::string Url::authority() const {
    std::string text = host.find(':') != std::string::npos ? "[" + host + "]" : host;
    if (port != default_port(scheme)) text += ":" + std::to_string(port);
    return text;
}

std::string Url::safe_text() const {
    return scheme + "://" + authority() + target.substr(0, target.find('?'));
}

Url parse_url(std::string_view text) {
    for (char c : text)
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
            bad("a space, control or non-ASCII character; percent-encode it");
    Url url;
    auto mark = text.find("://");
    if (mark == std::string_view::npos) bad("no scheme");
    url.scheme = to_lower(text.substr(0, mark));
    if (url.scheme != "http" && url.scheme != "https") bad("scheme '" + url.scheme + "'");
    text.remove_prefix(mark + 3);
    text = text.substr(0, text.find('#'));
    auto slash = text.find_first_of("/?");
    std::string_view authority = text.substr(0, slash);
    if (slash != std::string_view::npos) url.target = text.substr(slash);
    if (!url.target.starts_with('/')) url.target.insert(0, "/");
    if (auto at = authority.rfind('@'); at != std::string_view::npos) {
        url.userinfo = percent_decode(authority.substr(0, at));
        authority.remove_prefix(at + 1);
    }
    parse_host(authority, url);
    return url;
}

std::string percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
            hex_value(text[i + 2]) >= 0) {
            out.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
            i += 2;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view kPlain = "-._~";
    std::string out;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && (std::isalnum(byte) != 0 || kPlain.find(c) != std::string_view::npos))
            out.push_back(c);
        else
            out += fmt::format("%{:02X}", byte);
    }
    return out;
}

} // namespace assay
