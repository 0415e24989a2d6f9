// HTTP/1.1 server: a thread per connection, blocking handlers with Cancel.
//
//   HttpServer server(listen_loopback(), [](const HttpRequest& request, ResponseWriter& writer) {
//       writer.send({.status = 200, .body = "hello"});
//   });
//   server.port();
//
// The same handler can serve any Stream (a sandbox's exposed service) with serve_connection.
#pragma once

#include "assay/base/clock.h"
#include "assay/base/stream.h"
#include "assay/io/socket.h"
#include "assay/net/http.h"
#include "assay/net/sse.h"
#include "assay/net/tls.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace assay {

// The answer to one request. Used by one thread at a time, only until the handler returns.
class ResponseWriter {
  public:
    virtual ~ResponseWriter() = default;

    virtual void send(HttpResponse response) = 0; // whole, with Content-Length

    // Streamed: start, any number of write, and finish (or the return of the handler).
    virtual void start(HttpResponse head) = 0; // chunked, or until close for HTTP/1.0
    virtual void write(std::string_view data) = 0;
    virtual void finish() = 0;
    void start_events(HttpResponse head = {}); // text/event-stream
    void event(const SseEvent& event);

    // For servers that misbehave on purpose: bytes as they are, and the end of the connection as
    // soon as the handler returns. After either only raw may follow, and nothing is finished.
    virtual void raw(std::string_view bytes) = 0;
    virtual void break_connection() = 0;

    virtual bool started() const = 0;
    // The connection, to watch it for a peer that hangs up; -1: none. Not to be read from.
    virtual int poll_fd() const { return -1; }
    // The server stops. Handlers that wait must wait with it.
    virtual const Cancel& cancel() const = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, ResponseWriter&)>;

struct HttpServerOptions {
    std::uint32_t max_header = 64 << 10;                    // 431
    std::uint64_t max_body = 64 << 20;                      // 413
    std::size_t max_connections = 256;                      // more wait in the listen queue
    Nanoseconds request_timeout = std::chrono::seconds(60); // for one whole request to arrive
    Nanoseconds idle_timeout = std::chrono::seconds(120);   // between requests
    Nanoseconds stop_grace = std::chrono::seconds(5);       // for running handlers, in stop()
    std::optional<Nanoseconds> write_timeout = {}; // for the peer to take what one call writes
    // What is sent where no request could be read (408, 413, 431, 400). Empty: the text.
    std::function<HttpResponse(int status, const std::string& message)> refusal = {};
    std::shared_ptr<const TlsContext> tls; // https if set
};

// Serves requests until the peer closes, the handler breaks the connection or cancel is cancelled.
// A handler that throws before it has started an answer gives 500 with the message; after that the
// connection is cut, so that the peer cannot take the part for the whole. Closes the stream at the
// end. Never throws.
void serve_connection(Stream& stream, const HttpHandler& handler, const HttpServerOptions& options,
                      const Cancel& cancel);

class HttpServer {
  public:
    HttpServer(TcpListener listener, HttpHandler handler, HttpServerOptions options = {});
    HttpServer(UniqueFd unix_listener, HttpHandler handler, HttpServerOptions options = {});
    ~HttpServer();              // stop()
    std::uint16_t port() const; // 0 for a Unix socket
    // Accepts no more, closes idle connections, gives running handlers stop_grace, then cancels
    // them and waits. Idempotent.
    void stop();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
