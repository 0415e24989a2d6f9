// A client of one MCP server, over any Transport, of both eras of the protocol:
//   legacy (2024-11-05 … 2025-11-25): `initialize`, a session, requests in both directions;
//   modern (2026-07-28): no handshake, metadata with every request, `server/discover`.
//
//   Client client(stdio_transport(std::move(process)), {.server = "memory"});
//   client.open(cancel);
//   for (const ToolInfo& tool : client.tools(cancel)) ...
//   CallResult result = client.call("read_graph", "{}", cancel);
//
// Thread-safe: calls may run side by side. Every error names the server; when it has died, how, and
// the last lines of its stderr. Servers are untrusted: messages, pages and rounds are bounded,
// wrong and repeated answers are dropped and counted.
#pragma once

#include "assay/mcp/transport.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::mcp {

// The server answered a request with a JSON-RPC error.
class RpcError : public Error {
  public:
    RpcError(int code, std::string message, std::string data)
        : Error(ErrorKind::Sandbox, std::move(message))
        , code_(code)
        , data_(std::move(data)) {}
    int code() const { return code_; }
    const std::string& data() const { return data_; } // JSON text, "null" if none

  private:
    int code_;
    std::string data_;
};

// No answer in time. The request was cancelled.
class CallTimeout : public Error {
  public:
    CallTimeout(std::string message, double limit_seconds)
        : Error(ErrorKind::Sandbox, std::move(message))
        , limit_seconds_(limit_seconds) {}
    double limit_seconds() const { return limit_seconds_; }

  private:
    double limit_seconds_;
};

enum class Era { Auto, Legacy, Modern };

// Answers a request of the server (elicitation/create, ...): params in, result out, both JSON text.
// Runs on a thread of the transport; nothing else is read from the server meanwhile.
using RequestHandler = std::function<std::string(std::string_view params)>;

struct ClientOptions {
    std::string server = "server"; // its name, in every error
    Era era = Era::Auto;           // Auto: asks `server/discover` first, then `initialize`
    Nanoseconds startup_timeout = std::chrono::seconds(30); // for opening as a whole
    Nanoseconds probe_timeout = std::chrono::seconds(3);    // for the answer to server/discover
    Nanoseconds call_timeout = std::chrono::seconds(60);
    bool reset_on_progress = false; // progress starts call_timeout anew, up to:
    Nanoseconds call_ceiling = std::chrono::minutes(10);
    int max_pages = 100;
    std::size_t max_tools = 2000;
    int max_rounds = 8; // modern: times one request may ask for input
    // What we declare and can answer. Nothing by default; `roots` on purpose: server-filesystem
    // replaces its configured folders by the client's roots.
    std::string capabilities = "{}";                     // JSON object
    std::map<std::string, RequestHandler> handlers = {}; // by method
};

struct ServerInfo {
    std::string name, version; // as it calls itself
    std::string protocol;      // "2025-11-25"
    bool modern = false;
    std::string instructions;
    std::string capabilities = "{}";
};

struct ToolInfo {
    std::string name, description;
    std::string input_schema;                 // JSON object
    std::optional<std::string> output_schema; // JSON
    // Modern HTTP: arguments (path of property names) mirrored in Mcp-Param-<second>.
    std::vector<std::pair<std::vector<std::string>, std::string>> header_arguments;
};

struct CallResult {
    std::string content = "[]"; // JSON array of content blocks, as sent
    bool is_error = false;      // the tool ran and failed
    std::optional<std::string> structured;
};

struct ClientStats {                   // what a server did that it should not do
    std::uint64_t malformed = 0;       // lines that are no JSON-RPC message
    std::uint64_t unknown_answers = 0; // to no request of ours, or for the second time
    std::uint64_t dropped = 0;         // too long
    std::uint64_t refused_requests = 0;
};

class Client {
  public:
    Client(std::unique_ptr<Transport> transport, ClientOptions options);
    ~Client(); // closes
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Throws Error(Sandbox) if the server does not come up, Error(Unsupported) if no revision fits.
    void open(const Cancel& cancel);
    ServerInfo server() const;

    // All pages. Listed once, and again after the server said that its list has changed.
    std::vector<ToolInfo> tools(const Cancel& cancel);
    // True if the server has said so since the last listing.
    bool tools_changed() const;
    // Tools that were left out or mended, in words.
    std::vector<std::string> warnings() const;

    // `arguments` is a JSON object. Throws RpcError, CallTimeout, Error(Sandbox), Interrupted.
    CallResult call(const std::string& tool, const std::string& arguments, const Cancel& cancel);
    // Any other method: params and result as JSON text.
    std::string request(const std::string& method, const std::string& params, const Cancel& cancel);

    ClientStats stats() const;
    std::string log_tail() const; // of the server's stderr
    bool alive() const;           // false once its connection is lost
    void close();

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace assay::mcp
