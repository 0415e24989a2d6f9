#include "assay/net/http_client.h"

#include "assay/base/hash.h"
#include "assay/base/text.h"
#include "assay/io/fd_stream.h"
#include "assay/io/socket.h"
#include "assay/net/tls.h"

#include <fmt/core.h>
#include <poll.h>

#include <map>
#include <mutex>
#include <vector>

namespace assay {

namespace {

// Methods that may be sent twice without harm (RFC 9110, 9.2.2).
bool is_idempotent(std::string_view method) {
    for (std::string_view good : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
        if (method == good) return true;
    return false;
}

std::string basic_authorization(const std::string& userinfo) {
    return "Basic " + base64_encode(userinfo);
}

std::unique_ptr<Stream> dial(const std::string& host, std::uint16_t port, const Cancel& cancel) {
    std::vector<SocketAddress> addresses;
    try {
        addresses = resolve_host(host, port, cancel);
    } catch (const Error& e) {
        throw HttpError(HttpFailure::Resolve, e.message());
    }
    try {
        return std::make_unique<FdStream>(connect_first(addresses, cancel));
    } catch (const Error& e) {
        throw HttpError(HttpFailure::Connect, e.message());
    }
}

// Asks an HTTP proxy for a tunnel to the host of `url`.
void open_tunnel(Stream& stream, const Url& url, const Url& proxy, const Cancel& cancel) {
    HttpRequest request;
    request.method = "CONNECT";
    request.target = fmt::format(
        "{}:{}", url.host.find(':') != std::string::npos ? "[" + url.host + "]" : url.host,
        url.port);
    request.headers.add("Host", request.target);
    if (!proxy.userinfo.empty())
        request.headers.add("Proxy-Authorization", basic_authorization(proxy.userinfo));
    HttpResponse answer = send_over(stream, request, {}, cancel);
    if (!answer.ok())
        throw HttpError(HttpFailure::Connect,
                        fmt::format("proxy {} refused the tunnel: {} {}", proxy.authority(),
                                    answer.status, answer.reason));
}

struct Connection {
    std::unique_ptr<HttpConnection> http;
    TlsStream* tls = nullptr; // owned by http; null for plain
    MonoTime idle_since{};

    // The server has closed it meanwhile, or said something that nobody asked for.
    bool is_stale() const {
        if (tls != nullptr) return tls->is_stale();
        pollfd one{http->stream().poll_fd(), POLLIN, 0};
        return one.fd < 0 || ::poll(&one, 1, 0) != 0;
    }
};

} // namespace

struct HttpClient::State {
    HttpClientSettings settings;
    std::mutex mutex;
    std::map<std::string, std::vector<Connection>> idle; // by key
    std::shared_ptr<const TlsContext> tls;               // made at first use: it reads the CAs

    std::shared_ptr<const TlsContext> tls_context();
    Connection take(const std::string& key); // without http: there is none
    void give(const std::string& key, Connection connection);
    std::unique_ptr<Stream> wrap(std::unique_ptr<Stream> stream, const std::string& host,
                                 const Cancel& cancel);
    Connection open(const Url& url, const std::optional<Url>& proxy, const Cancel& cancel);
    Connection open_limited(const Url& url, const std::optional<Url>& proxy,
                            const HttpOptions& options, const Cancel& cancel);
    HttpResponse exchange(const Url& url, const HttpRequest& request,
                          const std::optional<Url>& proxy, const HttpOptions& options,
                          const Cancel& cancel);
};

std::shared_ptr<const TlsContext> HttpClient::State::tls_context() {
    std::lock_guard lock(mutex);
    if (!tls) tls = TlsContext::client(settings.ca_pem);
    return tls;
}

Connection HttpClient::State::take(const std::string& key) {
    for (;;) {
        Connection found; // a stale one is closed outside the lock
        {
            std::lock_guard lock(mutex);
            auto& list = idle[key];
            if (list.empty()) {
                idle.erase(key);
                return {};
            }
            found = std::move(list.back());
            list.pop_back();
        }
        bool old = std::chrono::steady_clock::now() - found.idle_since > settings.max_idle_time;
        if (!old && !found.is_stale()) return found;
    }
}

void HttpClient::State::give(const std::string& key, Connection connection) {
    connection.idle_since = std::chrono::steady_clock::now();
    std::vector<Connection> expired; // closed outside the lock
    std::lock_guard lock(mutex);
    auto& list = idle[key];
    list.push_back(std::move(connection));
    if (list.size() > settings.max_idle_per_host) {
        expired.push_back(std::move(list.front()));
        list.erase(list.begin());
    }
}

std::unique_ptr<Stream> HttpClient::State::wrap(std::unique_ptr<Stream> stream,
                                                const std::string& host, const Cancel& cancel) {
    try {
        return TlsStream::connect(std::move(stream), tls_context(), host, cancel);
    } catch (const Error& e) { // also a connection that was cut in the handshake
        throw HttpError(HttpFailure::Tls, e.message());
    }
}

Connection HttpClient::State::open(const Url& url, const std::optional<Url>& proxy,
                                   const Cancel& cancel) {
    const Url& first = proxy ? *proxy : url;
    std::unique_ptr<Stream> stream = dial(first.host, first.port, cancel);
    if (proxy && proxy->scheme == "https") stream = wrap(std::move(stream), proxy->host, cancel);
    if (proxy && url.scheme == "https") open_tunnel(*stream, url, *proxy, cancel);
    if (url.scheme == "https") stream = wrap(std::move(stream), url.host, cancel);
    Connection made;
    made.tls = dynamic_cast<TlsStream*>(stream.get());
    made.http = std::make_unique<HttpConnection>(std::move(stream));
    return made;
}

Connection HttpClient::State::open_limited(const Url& url, const std::optional<Url>& proxy,
                                           const HttpOptions& options, const Cancel& cancel) {
    if (!options.connect_timeout) return open(url, proxy, cancel);
    Nanoseconds limit = *options.connect_timeout;
    Cancel child = cancel.child(Cause::Deadline, limit, "connect");
    try {
        return open(url, proxy, child);
    } catch (const Interrupted&) {
        cancel.check();
        throw HttpError(HttpFailure::Timeout,
                        "no connection within " + format_seconds(seconds(limit)));
    }
}

HttpResponse HttpClient::State::exchange(const Url& url, const HttpRequest& request,
                                         const std::optional<Url>& proxy,
                                         const HttpOptions& options, const Cancel& cancel) {
    std::string key =
        fmt::format("{}|{}|{}|{}", url.scheme, url.host, url.port, proxy ? proxy->authority() : "");
    for (;;) {
        Connection connection = take(key);
        bool reused = connection.http != nullptr;
        if (!reused) connection = open_limited(url, proxy, options, cancel);
        try {
            HttpResponse response = connection.http->send(request, options, cancel);
            if (connection.http->reusable()) give(key, std::move(connection));
            return response;
        } catch (const HttpError& e) {
            // The server closed the kept connection just as we used it. Each round uses one up.
            bool again = reused && e.failure() == HttpFailure::Closed &&
                         !connection.http->answered() && is_idempotent(request.method);
            if (!again) throw;
        }
    }
}

HttpClient::HttpClient(HttpClientSettings settings)
    : state_(std::make_unique<State>()) {
    state_->settings = std::move(settings);
}
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const std::string& address, HttpRequest request,
                              const HttpOptions& options, const Cancel& cancel) {
    Url url = parse_url(address);
    std::optional<Url> proxy = state_->settings.proxy.proxy_for(url);
    request.target = url.target;
    if (!request.headers.has("Host")) request.headers.add("Host", url.authority());
    if (!request.headers.has("User-Agent"))
        request.headers.add("User-Agent", state_->settings.user_agent);
    if (!url.userinfo.empty() && !request.headers.has("Authorization"))
        request.headers.add("Authorization", basic_authorization(url.userinfo));
    if (proxy && url.scheme == "http") {
        request.target = "http://" + url.authority() + url.target;
        if (!proxy->userinfo.empty())
            request.headers.set("Proxy-Authorization", basic_authorization(proxy->userinfo));
    }
    // The time limit holds for connecting and all tries together.
    Cancel limited =
        options.timeout ? cancel.child(Cause::Deadline, *options.timeout, "timeout") : cancel;
    std::string what = request.method + " " + url.safe_text() + ": ";
    try {
        return state_->exchange(url, request, proxy, options, limited);
    } catch (const HttpError& e) {
        throw HttpError(e.failure(), what + e.message());
    } catch (const Interrupted&) {
        cancel.check();
        if (!limited.cancelled()) throw; // of a callback
        throw HttpError(HttpFailure::Timeout,
                        what + "no answer within " + format_seconds(seconds(*options.timeout)));
    }
}

} // namespace assay
