// HTTP/1.1 client: blocking calls with Cancel, over sockets, TLS, a proxy or any Stream.
//
//   HttpClient client;
//   HttpResponse answer = client.send("https://host/v1/x", {.method = "POST", .body = json}, {},
//   cancel);
//
// Every failure of transport or protocol is an HttpError with its class; a status such as 404 or
// 503 is not a failure. Redirects are not followed. Nothing is repeated behind the caller's back,
// with one exception: a request on a kept-alive connection that the server had closed meanwhile, if
// no byte of an answer came and the method is idempotent.
#pragma once

#include "assay/base/clock.h"
#include "assay/base/stream.h"
#include "assay/net/http.h"
#include "assay/net/url.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace assay {

struct HttpOptions {
    std::optional<Nanoseconds> timeout;      // for the whole exchange
    std::optional<Nanoseconds> idle_timeout; // for the next byte of the answer
    std::optional<Nanoseconds> connect_timeout = std::chrono::seconds(30); // with TLS handshake
    std::uint64_t max_body = 64 << 20;
    std::uint32_t max_header = 64 << 10;
    // Gets the body of a 2xx answer piece by piece instead of HttpResponse::body (which other
    // answers still fill). False: stop here; the connection is dropped and send() returns.
    std::function<bool(std::string_view)> on_data;
    // Called once the header of the final answer is there, before any on_data.
    std::function<void(const HttpResponse&)> on_header;
};

struct ProxySettings {
    std::string http, https; // URL of the proxy for each scheme; empty: none
    std::string no_proxy;    // "host, .domain, 10.0.0.0/8, *"; loopback never goes to a proxy
    static ProxySettings from_environment();
    // The proxy for this URL, or nullopt.
    std::optional<Url> proxy_for(const Url& url) const;
};

struct HttpClientSettings {
    ProxySettings proxy = ProxySettings::from_environment();
    std::string ca_pem; // trusted beside the system's CAs
    std::string user_agent = "assay";
    std::size_t max_idle_per_host = 64;
    Nanoseconds max_idle_time = std::chrono::seconds(60);
};

// One connection, one exchange after another. Not thread-safe.
class HttpConnection {
  public:
    explicit HttpConnection(std::unique_ptr<Stream> stream);
    ~HttpConnection();
    HttpResponse send(const HttpRequest& request, const HttpOptions& options, const Cancel& cancel);
    bool reusable() const; // the last exchange left it in order
    bool answered() const; // some byte of the last answer came
    Stream& stream();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// One exchange over a borrowed stream, such as Sandbox::connect gives. The stream must not be used
// for another exchange afterwards.
HttpResponse send_over(Stream& stream, const HttpRequest& request, const HttpOptions& options,
                       const Cancel& cancel);

// Keeps connections per (scheme, host, port). Thread-safe: each exchange has a connection of its
// own.
class HttpClient {
  public:
    explicit HttpClient(HttpClientSettings settings = {});
    ~HttpClient();
    // The target comes from the URL. Host, Content-Length, User-Agent and proxy headers are added.
    HttpResponse send(const std::string& url, HttpRequest request, const HttpOptions& options,
                      const Cancel& cancel);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
