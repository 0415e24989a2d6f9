#include "assay/base/text.h"
#include "assay/net/http_client.h"
#include "http_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

namespace assay {

namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    auto good = [&](unsigned char c) {
        return c < 0x80 && (std::isalnum(c) != 0 ||
                            kOthers.find(static_cast<char>(c)) != std::string_view::npos);
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), good);
}

// A line break in a header would be a second header, or a second request.
void check(const HttpRequest& request) {
    auto refuse = [](std::string_view what) {
        throw Error(ErrorKind::Input, fmt::format("HTTP request: malformed {}", what));
    };
    if (!is_token(request.method)) refuse("method");
    for (unsigned char c : request.target)
        if (c <= ' ' || c == 0x7f) refuse("target");
    if (request.target.empty()) refuse("target");
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name)) refuse("header name");
        for (unsigned char c : value)
            if ((c < ' ' && c != '\t') || c == 0x7f) refuse("value of header " + name);
    }
}

std::string serialize_head(const HttpRequest& request) {
    std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
    if (!request.headers.has("Host")) out += "Host: localhost\r\n";
    for (const auto& [name, value] : request.headers) {
        if (equals_nocase(name, "Content-Length") || equals_nocase(name, "Transfer-Encoding"))
            continue; // ours to say
        out += fmt::format("{}: {}\r\n", name, value);
    }
    bool wants_length = request.method != "GET" && request.method != "HEAD" &&
                        request.method != "CONNECT" && request.method != "DELETE";
    if (!request.body.empty() || wants_length)
        out += fmt::format("Content-Length: {}\r\n", request.body.size());
    return out + "\r\n";
}

} // namespace

struct HttpConnection::State {
    explicit State(Stream& borrowed)
        : stream(borrowed)
        , reader(borrowed) {}

    std::unique_ptr<Stream> owned;
    Stream& stream;
    HttpReader reader;
    bool reusable = true;

    HttpResponse exchange(const HttpRequest& request, const HttpOptions& options,
                          const Cancel& cancel);
    HttpResponse limited(const HttpRequest& request, const HttpOptions& options,
                         const Cancel& cancel);
};

// A server may answer before it has read the whole request (413, 401) and close: the answer counts
// more than the failed write.
HttpResponse HttpConnection::State::exchange(const HttpRequest& request, const HttpOptions& options,
                                             const Cancel& cancel) {
    reusable = false;
    reader.reset_got_bytes();
    std::string write_error;
    try {
        stream.write(serialize_head(request) + request.body, cancel);
    } catch (const Error& e) {
        write_error = e.message();
    }
    try {
        HttpReader::ResponseSink sink;
        sink.no_body = request.method == "HEAD" || request.method == "CONNECT";
        sink.on_header = options.on_header;
        sink.on_data = options.on_data;
        ReadResponse read = reader.read_response(
            {options.max_header, options.max_body, options.idle_timeout}, sink, cancel);
        reusable = write_error.empty() && read.keep_alive && !reader.has_leftover();
        return std::move(read.response);
    } catch (const HttpError& e) {
        if (write_error.empty() || e.failure() != HttpFailure::Closed) throw;
        throw HttpError(HttpFailure::Closed, "connection lost while sending: " + write_error);
    }
}

// The exchange's own time limit is Timeout; what the caller's Cancel did stays Interrupted.
HttpResponse HttpConnection::State::limited(const HttpRequest& request, const HttpOptions& options,
                                            const Cancel& cancel) {
    if (!options.timeout) return exchange(request, options, cancel);
    Cancel child = cancel.child(Cause::Deadline, *options.timeout,
                                "no answer within " + format_seconds(seconds(*options.timeout)));
    try {
        return exchange(request, options, child);
    } catch (const Interrupted& e) {
        cancel.check();
        if (!child.cancelled()) throw; // of a callback
        throw HttpError(HttpFailure::Timeout, child.reason()->detail);
    }
}

HttpConnection::HttpConnection(std::unique_ptr<Stream> stream)
    : state_(std::make_unique<State>(*stream)) {
    state_->owned = std::move(stream);
}
HttpConnection::~HttpConnection() = default;

HttpResponse HttpConnection::send(const HttpRequest& request, const HttpOptions& options,
                                  const Cancel& cancel) {
    check(request);
    return state_->limited(request, options, cancel);
}

bool HttpConnection::reusable() const {
    return state_->reusable;
}
bool HttpConnection::answered() const {
    return state_->reader.got_bytes();
}
Stream& HttpConnection::stream() {
    return state_->stream;
}

HttpResponse send_over(Stream& stream, const HttpRequest& request, const HttpOptions& options,
                       const Cancel& cancel) {
    class Borrowed final : public Stream {
      public:
        explicit Borrowed(Stream& inner)
            : inner_(inner) {}
        std::size_t read(std::span<char> into, const Cancel& stop) override {
            return inner_.read(into, stop);
        }
        void write(std::string_view data, const Cancel& stop) override { inner_.write(data, stop); }
        void shutdown_write() override { inner_.shutdown_write(); }
        void close() override { inner_.close(); }

      private:
        Stream& inner_;
    };
    return HttpConnection(std::make_unique<Borrowed>(stream)).send(request, options, cancel);
}

} // namespace assay
