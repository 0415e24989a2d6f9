#include "assay/net/http_server.h"

#include "assay/base/log.h"
#include "assay/base/text.h"
#include "assay/io/fd_stream.h"
#include "http_reader.h"

#include <fmt/core.h>

#include <array>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace assay {

namespace {

std::string serialize_head(const HttpResponse& response, std::string_view framing,
                           bool keep_alive) {
    std::string_view reason =
        response.reason.empty() ? usual_reason(response.status) : response.reason;
    std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason);
    for (const auto& [name, value] : response.headers) {
        if (equals_nocase(name, "Content-Length") || equals_nocase(name, "Transfer-Encoding") ||
            equals_nocase(name, "Connection"))
            continue; // ours to say
        if ((name + value).find_first_of("\r\n") != std::string::npos)
            throw Error(ErrorKind::Internal, "HTTP response: line break in header " + name);
        out += fmt::format("{}: {}\r\n", name, value);
    }
    out += framing;
    out += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
    return out;
}

bool has_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

class Writer final : public ResponseWriter {
  public:
    Writer(Stream& stream, const ReadRequest& read, const HttpServerOptions& options,
           const Cancel& cancel)
        : stream_(stream)
        , options_(options)
        , cancel_(cancel)
        , head_only_(read.request.method == "HEAD")
        , http10_(read.http10)
        , keep_alive_(read.keep_alive) {}

    void send(HttpResponse response) override {
        begin();
        state_ = State::Finished;
        std::string framing;
        if (has_body(response.status))
            framing = fmt::format("Content-Length: {}\r\n", response.body.size());
        std::string out = serialize_head(response, framing, keep_alive_);
        if (has_body(response.status) && !head_only_) out += response.body;
        put(out);
    }

    void start(HttpResponse head) override {
        begin();
        if (http10_) keep_alive_ = false; // the end of the body is the end of the connection
        std::string_view framing = http10_ ? "" : "Transfer-Encoding: chunked\r\n";
        put(serialize_head(head, framing, keep_alive_));
    }

    void write(std::string_view data) override {
        if (state_ != State::Started) throw Error(ErrorKind::Internal, "HTTP write before start");
        if (data.empty() || head_only_) return; // an empty chunk would be the last
        if (http10_)
            put(data);
        else
            put(fmt::format("{:x}\r\n{}\r\n", data.size(), data));
    }

    void finish() override {
        if (state_ != State::Started) return;
        state_ = State::Finished;
        if (!http10_ && !head_only_) put("0\r\n\r\n");
    }

    void raw(std::string_view bytes) override {
        state_ = State::Finished;
        keep_alive_ = false;
        put(bytes);
    }

    void break_connection() override {
        state_ = State::Finished;
        keep_alive_ = false;
        broken_ = true;
    }

    bool started() const override { return state_ != State::Fresh; }
    int poll_fd() const override { return stream_.poll_fd(); }
    const Cancel& cancel() const override { return cancel_; }
    bool keep_alive() const { return keep_alive_ && !broken_; }

  private:
    enum class State { Fresh, Started, Finished };

    void put(std::string_view bytes) {
        if (options_.write_timeout)
            stream_.write(bytes, cancel_.child(Cause::Deadline, *options_.write_timeout,
                                               "the peer does not read"));
        else
            stream_.write(bytes, cancel_);
    }

    void begin() {
        if (state_ != State::Fresh)
            throw Error(ErrorKind::Internal, "HTTP: a second answer to one request");
        state_ = State::Started;
    }

    Stream& stream_;
    const HttpServerOptions& options_;
    const Cancel& cancel_;
    bool head_only_, http10_, keep_alive_;
    bool broken_ = false;
    State state_ = State::Fresh;
};

// False: the connection ends.
bool answer(Stream& stream, const ReadRequest& read, const HttpHandler& handler,
            const HttpServerOptions& options, const Cancel& cancel) {
    Writer writer(stream, read, options, cancel);
    std::string problem;
    try {
        handler(read.request, writer);
        if (!writer.started())
            writer.send({.status = 204, .reason = {}, .headers = {}, .body = {}});
        writer.finish();
        return writer.keep_alive();
    } catch (const Interrupted&) {
        return false;
    } catch (const std::exception& e) {
        problem = e.what();
    }
    log_debug("http: {} {}: {}", read.request.method, read.request.target, problem);
    if (writer.started()) return false;
    HttpResponse response{.status = 500, .reason = {}, .headers = {}, .body = problem + "\n"};
    response.headers.set("Content-Type", "text/plain; charset=utf-8");
    writer.send(std::move(response));
    return writer.keep_alive();
}

int status_for(HttpFailure failure, bool in_body) {
    if (failure == HttpFailure::TooLarge) return in_body ? 413 : 431;
    return failure == HttpFailure::Timeout ? 408 : 400;
}

// Closing with unread input would make the kernel reset the connection, and the peer might lose the
// answer: read a little more first.
void linger(Stream& stream, const Cancel& cancel) {
    constexpr auto kPatience = std::chrono::seconds(1);
    constexpr std::size_t kMost = 8 << 20;
    stream.shutdown_write();
    Cancel limited = cancel.child(Cause::Deadline, kPatience, "linger");
    std::array<char, 16 * 1024> buffer;
    std::size_t dropped = 0;
    while (dropped < kMost) {
        std::size_t n = stream.read(buffer, limited);
        if (n == 0) return;
        dropped += n;
    }
}

void refuse(Stream& stream, int status, const std::string& message,
            const HttpServerOptions& options, const Cancel& cancel) {
    HttpResponse response{.status = status, .reason = {}, .headers = {}, .body = message + "\n"};
    response.headers.set("Content-Type", "text/plain; charset=utf-8");
    if (options.refusal) response = options.refusal(status, message);
    std::string framing = fmt::format("Content-Length: {}\r\n", response.body.size());
    stream.write(serialize_head(response, framing, false) + response.body, cancel);
    linger(stream, cancel);
}

// Reads one request within its time. nullopt: the connection ends (an answer may have been sent).
std::optional<ReadRequest> next_request(Stream& stream, HttpReader& reader,
                                        const HttpServerOptions& options, const Cancel& idle,
                                        const Cancel& cancel) {
    Cancel between = idle.child(Cause::Deadline, options.idle_timeout, "idle connection");
    if (!reader.wait_for_message(between)) return std::nullopt;
    Cancel limited = cancel.child(Cause::Deadline, options.request_timeout, "slow request");
    auto go_on = [&] { stream.write("HTTP/1.1 100 Continue\r\n\r\n", limited); };
    HttpFailure failure = HttpFailure::Timeout;
    std::string message = "the request did not arrive in time";
    try {
        return reader.read_request({options.max_header, options.max_body, std::nullopt}, go_on,
                                   limited);
    } catch (const HttpError& e) {
        if (e.failure() == HttpFailure::Closed) return std::nullopt;
        failure = e.failure();
        message = e.message();
    } catch (const Interrupted&) {
        cancel.check();
    }
    refuse(stream, status_for(failure, reader.in_body()), message, options, cancel);
    return std::nullopt;
}

// `idle` ends the connection between requests, `cancel` at once.
void serve(Stream& stream, const HttpHandler& handler, const HttpServerOptions& options,
           const Cancel& idle, const Cancel& cancel) {
    try {
        HttpReader reader(stream);
        for (;;) {
            auto read = next_request(stream, reader, options, idle, cancel);
            if (!read || !answer(stream, *read, handler, options, cancel)) break;
        }
    } catch (const std::exception& e) { // the peer went away, or the server stops
        log_debug("http: connection ended: {}", e.what());
    }
    stream.close();
}

} // namespace

void ResponseWriter::start_events(HttpResponse head) {
    head.headers.set("Content-Type", "text/event-stream");
    head.headers.set("Cache-Control", "no-store");
    start(std::move(head));
}

void ResponseWriter::event(const SseEvent& event) {
    write(format_sse(event));
}

void serve_connection(Stream& stream, const HttpHandler& handler, const HttpServerOptions& options,
                      const Cancel& cancel) {
    serve(stream, handler, options, cancel, cancel);
}

struct HttpServer::State {
    TcpListener listener;
    HttpHandler handler;
    HttpServerOptions options;
    Cancel accepting; // cancelled first: no new connection, no new request
    Cancel running;   // then this: handlers

    struct Connection {
        std::thread thread;
        bool done = false;
    };
    std::mutex mutex;
    std::condition_variable changed;
    std::list<Connection> connections; // a list: a thread keeps a reference to its own entry
    std::size_t active = 0;
    std::thread acceptor;

    void accept_loop();
    void run_connection(UniqueFd fd);
    void join_finished();
};

void HttpServer::State::run_connection(UniqueFd fd) {
    try {
        std::unique_ptr<Stream> stream = std::make_unique<FdStream>(std::move(fd));
        if (options.tls) {
            Cancel limited =
                accepting.child(Cause::Deadline, options.request_timeout, "TLS handshake");
            stream = TlsStream::accept(std::move(stream), options.tls, limited);
        }
        serve(*stream, handler, options, accepting, running);
    } catch (const std::exception& e) {
        log_debug("http: no connection: {}", e.what());
    }
}

void HttpServer::State::join_finished() {
    std::list<Connection> finished;
    {
        std::lock_guard lock(mutex);
        for (auto at = connections.begin(); at != connections.end();) {
            auto next = std::next(at);
            if (at->done) finished.splice(finished.end(), connections, at);
            at = next;
        }
    }
    for (Connection& connection : finished) connection.thread.join();
}

void HttpServer::State::accept_loop() {
    [[maybe_unused]] auto watch = accepting.on_cancel([this] {
        std::lock_guard lock(mutex);
        changed.notify_all();
    });
    try {
        for (;;) {
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] {
                    return active < options.max_connections || accepting.cancelled();
                });
            }
            UniqueFd fd = accept_one(listener.fd.get(), accepting);
            join_finished();
            std::lock_guard lock(mutex);
            ++active;
            Connection& made = connections.emplace_back();
            made.thread = std::thread([this, &made, peer = fd.release()] {
                run_connection(UniqueFd(peer));
                std::lock_guard done(mutex);
                made.done = true;
                --active;
                changed.notify_all();
            });
        }
    } catch (const Interrupted&) { // stop()
    } catch (const std::exception& e) {
        log_error("http: the server on port {} ends: {}", listener.port, e.what());
    }
}

HttpServer::HttpServer(TcpListener listener, HttpHandler handler, HttpServerOptions options)
    : state_(std::make_unique<State>()) {
    state_->listener = std::move(listener);
    state_->handler = std::move(handler);
    state_->options = std::move(options);
    state_->acceptor = std::thread([state = state_.get()] { state->accept_loop(); });
}

HttpServer::HttpServer(UniqueFd unix_listener, HttpHandler handler, HttpServerOptions options)
    : HttpServer(TcpListener{std::move(unix_listener), 0}, std::move(handler), std::move(options)) {
}

HttpServer::~HttpServer() {
    stop();
}

std::uint16_t HttpServer::port() const {
    return state_->listener.port;
}

void HttpServer::stop() {
    state_->accepting.cancel(Cause::Aborted, "server stops");
    if (state_->acceptor.joinable()) state_->acceptor.join();
    state_->listener.fd.reset();
    {
        std::unique_lock lock(state_->mutex);
        state_->changed.wait_for(lock, state_->options.stop_grace,
                                 [&] { return state_->active == 0; });
    }
    state_->running.cancel(Cause::Aborted, "server stops");
    for (auto& connection : state_->connections)
        if (connection.thread.joinable()) connection.thread.join();
    state_->connections.clear();
}

} // namespace assay
