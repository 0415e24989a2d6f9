#include "assay/base/log.h"
#include "assay/base/text.h"
#include "assay/mcp/http_transport.h"
#include "assay/mcp/message.h"
#include "assay/net/http_client.h"
#include "assay/net/sse.h"
#include "assay/net/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <thread>

namespace assay::mcp {

namespace {

using namespace std::chrono_literals;

constexpr const char* kSession = "MCP-Session-Id";
constexpr const char* kVersion = "MCP-Protocol-Version";
constexpr const char* kFirstModern = "2026-07-28"; // revisions are dates: they compare as text

bool is_events(const HttpResponse& response) {
    return starts_with_nocase(response.headers.get("Content-Type"), "text/event-stream");
}

bool is_answer_to(std::string_view text, const std::string& request_id) {
    for (const IncomingMessage& message : read_messages(text)) {
        bool answer = message.kind == IncomingMessage::Kind::Result ||
                      message.kind == IncomingMessage::Kind::Error;
        if (answer && message.id == request_id) return true;
    }
    return false;
}

// One stream of events: hands messages on, remembers what resuming needs.
class EventStream {
  public:
    EventStream(Receiver& receiver, std::string request_id, std::size_t limit)
        : receiver_(receiver)
        , request_id_(std::move(request_id))
        , parser_(limit)
        , limit_(limit) {}

    // False: enough, the answer has come or the stream is of no use any more.
    bool feed(std::string_view bytes) {
        try {
            for (const SseEvent& event : parser_.feed(bytes)) take(event);
        } catch (const Error& e) {
            problem = e.message();
        }
        return !answered && problem.empty();
    }
    void begin() { parser_ = SseParser(limit_); } // another stream continues this one

    bool answered = false;
    std::string problem, last_id;
    std::optional<std::int64_t> retry_ms;
    int events = 0;

  private:
    void take(const SseEvent& event) {
        ++events;
        if (!event.id.empty()) last_id = event.id;
        if (event.retry) retry_ms = event.retry;
        if (event.data.empty()) return; // a priming event
        answered = answered || (!request_id_.empty() && is_answer_to(event.data, request_id_));
        receiver_.received(event.data);
    }

    Receiver& receiver_;
    std::string request_id_; // empty: the stream of the server's own messages
    SseParser parser_;
    std::size_t limit_;
};

class HttpTransport final : public Transport {
  public:
    HttpTransport(HttpTarget target, const HttpLimits& limits)
        : target_(std::move(target))
        , limits_(limits)
        , url_(parse_url(target_.url)) {}
    ~HttpTransport() override { close(); }

    bool is_http() const override { return true; }
    void start(Receiver& receiver) override { receiver_ = &receiver; }
    void send(const Outgoing& message, const Cancel& cancel) override;
    bool abandon(const std::string& request_id) override;
    void set_header(const std::string& name, const std::string& value) override;
    void listen() override;
    void close() override;
    std::string log_tail() const override { return ""; }

  private:
    struct Task { // a request under way, on a thread of its own
        std::string request_id;
        Cancel cancel;
        std::thread thread;
        std::atomic<bool> done = false;
    };

    HttpRequest make(const std::string& method,
                     const std::vector<std::pair<std::string, std::string>>& extra,
                     bool with_session) const;
    HttpResponse exchange(HttpRequest request, HttpOptions options, const Cancel& cancel);
    void post_request(HttpRequest request, const std::string& id, bool is_initialize,
                      const Cancel& cancel);
    void refuse(const HttpResponse& response, const std::string& id, bool had_session);
    // Until the stream has what it waits for; false: it cannot go on.
    bool resume(EventStream& stream, const Cancel& cancel);
    HttpResponse get_events(EventStream& stream, const Cancel& cancel);
    bool wait_retry(const EventStream& stream, const Cancel& cancel) const;
    void listen_loop(const Cancel& cancel);
    void run(const std::string& id, std::function<void(const Cancel&)> work);
    void reap(bool all);
    std::string header(const std::string& name) const;

    HttpTarget target_;
    HttpLimits limits_;
    Url url_;
    HttpClient client_;
    Receiver* receiver_ = nullptr;
    Cancel closing_;
    std::atomic<bool> closed_ = false;
    std::atomic<bool> listening_ = false;
    mutable std::mutex mutex_; // all below
    std::map<std::string, std::string> headers_;
    std::list<Task> tasks_;
};

std::string HttpTransport::header(const std::string& name) const {
    std::lock_guard lock(mutex_);
    auto found = headers_.find(name);
    return found == headers_.end() ? "" : found->second;
}

void HttpTransport::set_header(const std::string& name, const std::string& value) {
    std::lock_guard lock(mutex_);
    if (value.empty())
        headers_.erase(name);
    else
        headers_[name] = value;
}

HttpRequest HttpTransport::make(const std::string& method,
                                const std::vector<std::pair<std::string, std::string>>& extra,
                                bool with_session) const {
    HttpRequest request;
    request.method = method;
    request.target = url_.target;
    for (const auto& [name, value] : target_.headers) request.headers.add(name, value);
    {
        std::lock_guard lock(mutex_);
        for (const auto& [name, value] : headers_)
            if (with_session || name != kSession) request.headers.set(name, value);
    }
    for (const auto& [name, value] : extra) request.headers.set(name, value);
    return request;
}

HttpResponse HttpTransport::exchange(HttpRequest request, HttpOptions options,
                                     const Cancel& cancel) {
    options.max_body = limits_.message_bytes;
    if (options.on_data) options.max_body = UINT64_MAX; // a stream may run for long
    if (!target_.connect) return client_.send(target_.url, std::move(request), options, cancel);
    std::unique_ptr<Stream> stream = target_.connect(cancel);
    request.headers.set("Host", url_.authority());
    return send_over(*stream, request, options, cancel);
}

void HttpTransport::run(const std::string& id, std::function<void(const Cancel&)> work) {
    reap(false);
    std::lock_guard lock(mutex_);
    Task& task = tasks_.emplace_back();
    task.request_id = id;
    task.cancel = closing_.child();
    task.thread = std::thread([&task, work = std::move(work)] {
        work(task.cancel);
        task.done = true;
    });
}

void HttpTransport::reap(bool all) {
    std::list<Task> ended;
    {
        std::lock_guard lock(mutex_);
        for (auto it = tasks_.begin(); it != tasks_.end();) {
            auto next = std::next(it);
            if (all || it->done) ended.splice(ended.end(), tasks_, it);
            it = next;
        }
    }
    for (Task& task : ended) task.thread.join();
}

void HttpTransport::send(const Outgoing& message, const Cancel& cancel) {
    if (closed_) throw Error(ErrorKind::Sandbox, "the connection is closed");
    if (message.is_initialize) set_header(kSession, ""); // it opens a new one
    auto extra = message.headers;
    extra.emplace_back("Content-Type", "application/json");
    extra.emplace_back("Accept", "application/json, text/event-stream");
    HttpRequest request = make("POST", extra, true);
    request.body = std::string(message.text);
    if (!message.request_id.empty()) {
        run(message.request_id, [this, request = std::move(request), id = message.request_id,
                                 first = message.is_initialize](const Cancel& own) mutable {
            post_request(std::move(request), id, first, own);
        });
        return;
    }
    try {
        HttpResponse response = exchange(std::move(request), {}, cancel);
        if (!response.ok())
            throw Error(ErrorKind::Sandbox,
                        fmt::format("a notification was answered with HTTP {}", response.status));
    } catch (const HttpError& e) {
        throw Error(ErrorKind::Sandbox, e.message());
    }
}

void HttpTransport::post_request(HttpRequest request, const std::string& id, bool is_initialize,
                                 const Cancel& cancel) {
    EventStream stream(*receiver_, id, limits_.message_bytes);
    bool had_session = request.headers.has(kSession);
    bool events = false;
    HttpOptions options;
    std::string body;
    options.on_header = [&](const HttpResponse& head) {
        events = is_events(head);
        std::string session = head.headers.get(kSession);
        if (is_initialize && head.ok() && !session.empty()) set_header(kSession, session);
    };
    options.on_data = [&](std::string_view bytes) {
        if (events) return stream.feed(bytes);
        body.append(bytes);
        return body.size() <= limits_.message_bytes;
    };
    std::string broken;
    try {
        HttpResponse response = exchange(std::move(request), options, cancel);
        if (!response.ok()) return refuse(response, id, had_session);
    } catch (const Interrupted&) {
        return receiver_->failed(id, "was given up", false);
    } catch (const Error& e) {
        if (!events) return receiver_->failed(id, "cannot be reached: " + e.message(), false);
        broken = e.message(); // a broken stream can be resumed
    }
    try {
        if (events) {
            if (!stream.answered && !resume(stream, cancel))
                receiver_->failed(id,
                                  "ended its stream without an answer" +
                                      (broken.empty() ? "" : ": " + broken) +
                                      (stream.problem.empty() ? "" : ": " + stream.problem),
                                  false);
            return;
        }
    } catch (const Interrupted&) {
        return receiver_->failed(id, "was given up", false);
    }
    if (body.size() > limits_.message_bytes)
        return receiver_->failed(id,
                                 fmt::format("sent more than {}", format_bytes(static_cast<double>(
                                                                      limits_.message_bytes))),
                                 false);
    receiver_->received(body);
    if (!is_answer_to(body, id)) receiver_->failed(id, "answered with something else", false);
}

// A status that is no success. Its body may be a JSON-RPC error, then that is the answer.
void HttpTransport::refuse(const HttpResponse& response, const std::string& id, bool had_session) {
    bool gone = response.status == 404 && had_session;
    if (!gone)
        for (const IncomingMessage& message : read_messages(response.body))
            if (message.kind == IncomingMessage::Kind::Error &&
                (message.id == id || message.id.empty()))
                receiver_->received(response.body);
    std::string hint = response.status == 401 || response.status == 403
                           ? " (it wants credentials: configure a header)"
                           : "";
    receiver_->failed(id,
                      gone ? "has forgotten our session"
                           : fmt::format("answered with HTTP {}{}", response.status, hint),
                      gone);
}

bool HttpTransport::wait_retry(const EventStream& stream, const Cancel& cancel) const {
    Nanoseconds pause = limits_.retry;
    if (stream.retry_ms) {
        auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(limits_.longest_retry);
        pause = std::chrono::milliseconds(
            std::clamp<std::int64_t>(*stream.retry_ms, 0, longest.count()));
    }
    return cancel.sleep_for(pause);
}

HttpResponse HttpTransport::get_events(EventStream& stream, const Cancel& cancel) {
    std::vector<std::pair<std::string, std::string>> extra = {{"Accept", "text/event-stream"}};
    if (!stream.last_id.empty()) extra.emplace_back("Last-Event-ID", stream.last_id);
    HttpOptions options;
    bool events = false;
    options.on_header = [&](const HttpResponse& head) { events = is_events(head); };
    options.on_data = [&](std::string_view bytes) { return events && stream.feed(bytes); };
    stream.begin();
    return exchange(make("GET", extra, true), options, cancel);
}

bool HttpTransport::resume(EventStream& stream, const Cancel& cancel) {
    // Only legacy streams can be resumed, and only from an event that has an id.
    if (header(kVersion) >= kFirstModern || stream.last_id.empty()) return false;
    for (int tries = 0; tries < limits_.resumptions;) {
        if (!stream.problem.empty()) return false;
        if (!wait_retry(stream, cancel)) cancel.check();
        int before = stream.events;
        try {
            HttpResponse response = get_events(stream, cancel);
            if (!response.ok() && !stream.answered) return false;
        } catch (const Error&) {
            // Once more: the stream may break again.
        }
        if (stream.answered) return true;
        tries = stream.events > before ? 0 : tries + 1;
    }
    return false;
}

void HttpTransport::listen() {
    if (header(kVersion) >= kFirstModern || listening_.exchange(true)) return;
    run("", [this](const Cancel& cancel) {
        try {
            listen_loop(cancel);
        } catch (const Interrupted&) {
        } catch (const std::exception& e) {
            log_debug("MCP {}: no stream of its own messages: {}", url_.safe_text(), e.what());
        }
        listening_ = false;
    });
}

void HttpTransport::listen_loop(const Cancel& cancel) {
    EventStream stream(*receiver_, "", limits_.message_bytes);
    for (int tries = 0; tries < limits_.resumptions && stream.problem.empty();) {
        int before = stream.events;
        try {
            HttpResponse response = get_events(stream, cancel);
            if (!response.ok()) return; // 405: the server has no such stream, which is fine
        } catch (const Error&) {
            // The connection broke: once more.
        }
        tries = stream.events > before ? 0 : tries + 1;
        if (!wait_retry(stream, cancel)) return;
    }
}

bool HttpTransport::abandon(const std::string& request_id) {
    bool modern = header(kVersion) >= kFirstModern;
    std::lock_guard lock(mutex_);
    for (Task& task : tasks_)
        if (task.request_id == request_id) task.cancel.cancel(Cause::Aborted, "abandoned");
    return modern;
}

void HttpTransport::close() {
    if (closed_.exchange(true)) return;
    closing_.cancel(Cause::Aborted, "MCP connection closed");
    reap(true);
    if (header(kSession).empty()) return;
    try {
        Cancel brief = Cancel().child(Cause::Deadline, 1s, "ending the session");
        exchange(make("DELETE", {}, true), {}, brief); // 405 is fine
    } catch (const std::exception&) {
        // The server is gone, and its session with it.
    }
}

} // namespace

std::unique_ptr<Transport> http_transport(HttpTarget target, const HttpLimits& limits) {
    return std::make_unique<HttpTransport>(std::move(target), limits);
}

} // namespace assay::mcp
