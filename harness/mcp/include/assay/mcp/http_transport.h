// MCP over streamable HTTP: every message is a POST of its own, answered by one JSON body or by a
// stream of server-sent events.
//
// A stream that ends before its answer is resumed by GET with Last-Event-ID after the time that the
// server asked for. A session that the server has forgotten (404) is reported as gone; Client then
// opens a new one. One thread per request under way.
#pragma once

#include "assay/mcp/transport.h"

namespace assay::mcp {

struct HttpTarget {
    std::string url; // "http://127.0.0.1:3000/mcp"
    // How to reach it; empty: by the URL itself. With Sandbox::connect the URL's host is only the
    // Host header.
    std::function<std::unique_ptr<Stream>(const Cancel& cancel)> connect = {};
    std::vector<std::pair<std::string, std::string>> headers = {}; // Authorization and its kin
};

struct HttpLimits {
    std::size_t message_bytes = 64u << 20;
    int resumptions = 10; // of one stream, in a row without an event
    Nanoseconds retry =
        std::chrono::seconds(1); // before resuming, unless the server says otherwise
    Nanoseconds longest_retry = std::chrono::seconds(60); // that a server may ask for
};

std::unique_ptr<Transport> http_transport(HttpTarget target, const HttpLimits& limits = {});

} // namespace assay::mcp
