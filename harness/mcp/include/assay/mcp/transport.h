// Carries JSON-RPC messages to one MCP server and back. Knows nothing of their meaning but the id
// of a request, which streamable HTTP needs to tie an answer to its stream.
//
// start() is called once; from then on `receiver` is called on threads of the transport until
// close() returns. send() may be called from any thread, also from inside the receiver.
#pragma once

#include "assay/api/sandbox.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::mcp {

class Receiver {
  public:
    virtual ~Receiver() = default;
    virtual void received(std::string_view message) = 0;
    // A message that could not be read whole (over the limit) was dropped: whoever waits for an
    // answer may wait for this one.
    virtual void dropped(const std::string& why) = 0;
    // Nothing more will come (the server ended). `why` is a phrase: "ended with exit code 3".
    virtual void lost(const std::string& why) = 0;
    // The answer to this request (JSON text of its id) will not come.
    virtual void failed(const std::string& request_id, const std::string& why,
                        bool session_gone) = 0;
};

struct Outgoing {
    std::string_view text;      // the message, without a line end
    std::string request_id;     // JSON text; empty: a notification or an answer
    bool is_initialize = false; // its answer may open a session
    std::vector<std::pair<std::string, std::string>> headers; // HTTP only
};

class Transport {
  public:
    virtual ~Transport() = default; // as close()
    virtual bool is_http() const = 0;
    virtual void start(Receiver& receiver) = 0;
    // Throws Error(Sandbox) if the server is gone, Interrupted.
    virtual void send(const Outgoing& message, const Cancel& cancel) = 0;
    // The answer is no longer wanted. True if the server has learnt it by this: modern HTTP ends
    // the stream, everything else needs notifications/cancelled.
    virtual bool abandon(const std::string& request_id) = 0;
    // What goes with every later HTTP request; an empty value takes the header away.
    virtual void set_header(const std::string& name, const std::string& value) = 0;
    // Legacy HTTP: the stream for messages that the server sends by itself. Others: nothing.
    virtual void listen() = 0;
    virtual void close() = 0; // idempotent; not from inside the receiver
    // The last lines of its stderr; empty: none or not known.
    virtual std::string log_tail() const = 0;
};

struct StdioLimits {
    std::size_t message_bytes = 64u << 20;       // longer lines are dropped
    std::size_t log_bytes = 64u << 10;           // of stderr kept: head and tail
    Nanoseconds grace = std::chrono::seconds(2); // after closing stdin, and again after SIGTERM
};

// Newline-framed JSON over stdin and stdout of a process that was spawned with StdinMode::Pipe.
// close(): closes stdin, waits, SIGTERM, waits, SIGKILL.
std::unique_ptr<Transport> stdio_transport(std::unique_ptr<Process> process,
                                           const StdioLimits& limits = {});

} // namespace assay::mcp
