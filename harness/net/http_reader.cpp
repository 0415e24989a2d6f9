#include "http_reader.h"

#include "assay/base/text.h"

#include <boost/beast/http/basic_parser.hpp>
#include <fmt/core.h>

#include <array>

namespace assay {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

constexpr std::size_t kChunk = 64 * 1024;      // of one read
constexpr std::size_t kMaxPending = 256 << 10; // unparsed bytes: an endless chunk header
constexpr int kMaxInterim = 32;

std::string to_text(BeastText text) {
    return {text.data(), text.size()};
}

// Only gathers: nothing of ours that may throw is called from inside Beast.
template<bool kRequest>
class Parser final : public http::basic_parser<kRequest> {
  public:
    explicit Parser(std::uint32_t header_limit) {
        this->header_limit(header_limit);
        this->body_limit(boost::none); // the reader counts
        this->eager(true);
    }

    int status = 0, version = 11;
    std::string first, second; // method and target, or the reason
    HttpHeaders headers;
    bool head_done = false;
    std::string data; // of the body, since it was last taken

  private:
    using Base = http::basic_parser<kRequest>;
    void on_request_impl(http::verb, BeastText method, BeastText target, int number,
                         error_code&) override {
        first = to_text(method);
        second = to_text(target);
        version = number;
    }
    void on_response_impl(int code, BeastText reason, int number, error_code&) override {
        status = code;
        first = to_text(reason);
        version = number;
    }
    void on_field_impl(http::field, BeastText name, BeastText value, error_code&) override {
        if (!head_done) headers.add(to_text(name), to_text(value)); // trailers are not headers
    }
    void on_header_impl(error_code&) override { head_done = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(BeastText bytes, error_code&) override {
        data.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, BeastText bytes, error_code&) override {
        data.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code&) override {}
};

[[noreturn]] void throw_bad(const error_code& failed, std::uint32_t header_limit) {
    if (failed == http::error::header_limit)
        throw HttpError(HttpFailure::TooLarge,
                        fmt::format("header is over the limit of {} bytes", header_limit));
    throw HttpError(HttpFailure::BadResponse, "malformed HTTP message: " + failed.message());
}

[[noreturn]] void throw_body_limit(std::uint64_t limit) {
    throw HttpError(HttpFailure::TooLarge,
                    fmt::format("body is over the limit of {} bytes", limit));
}

} // namespace

// False: end of file. Errors of the stream become HttpError here, so that an exception of a
// caller's callback is never mistaken for one.
bool HttpReader::fill(const std::optional<Nanoseconds>& idle, const Cancel& cancel) {
    std::array<char, kChunk> chunk;
    std::size_t n = 0;
    try {
        if (idle)
            n = stream_.read(chunk, cancel.child(Cause::Deadline, *idle, "idle"));
        else
            n = stream_.read(chunk, cancel);
    } catch (const Interrupted&) {
        cancel.check();
        throw HttpError(HttpFailure::Timeout,
                        "no data for " + format_seconds(seconds(idle.value_or(Nanoseconds(0)))));
    } catch (const Error& e) {
        throw HttpError(HttpFailure::Closed, "connection lost: " + e.message());
    }
    buffer_.append(chunk.data(), n);
    if (n > 0) got_bytes_ = true;
    return n > 0;
}

bool HttpReader::wait_for_message(const Cancel& cancel) {
    return !buffer_.empty() || fill(std::nullopt, cancel);
}

// One message. Returns false if on_data stopped it. Throws Closed if the stream ends inside of it.
template<class Parser, class OnHeader, class OnData>
bool HttpReader::run(Parser& parser, const MessageLimits& limits, OnHeader on_header,
                     OnData on_data, const Cancel& cancel) {
    in_body_ = false;
    std::uint64_t received = 0;
    for (;;) {
        error_code failed;
        std::size_t used = 0;
        if (!buffer_.empty()) {
            used = parser.put(boost::asio::buffer(buffer_), failed);
            buffer_.erase(0, used);
        }
        if (parser.head_done && !in_body_) {
            in_body_ = true;
            if (!parser.is_done() && parser.content_length().value_or(0) > limits.body)
                throw_body_limit(limits.body);
            on_header();
        }
        if (!parser.data.empty()) {
            received += parser.data.size();
            if (received > limits.body) throw_body_limit(limits.body);
            bool more = on_data(parser.data);
            parser.data.clear();
            if (!more) return false;
        }
        if (parser.is_done()) return true;
        if (failed && failed != http::error::need_more) throw_bad(failed, limits.header);
        if (used > 0 && !buffer_.empty() && !failed) continue;
        if (buffer_.size() > kMaxPending + limits.header)
            throw HttpError(HttpFailure::BadResponse, "malformed HTTP message: endless line");
        if (fill(limits.idle, cancel)) continue;
        if (!parser.head_done)
            throw HttpError(HttpFailure::Closed, buffer_.empty()
                                                     ? "connection closed without an answer"
                                                     : "connection closed inside the header");
        parser.put_eof(failed);
        if (failed || !parser.is_done())
            throw HttpError(HttpFailure::Closed,
                            fmt::format("body cut off after {} bytes", received));
        return true;
    }
}

ReadResponse HttpReader::read_response(const MessageLimits& limits, const ResponseSink& sink,
                                       const Cancel& cancel) {
    for (int interim = 0; interim <= kMaxInterim; ++interim) {
        Parser<false> parser(limits.header);
        parser.skip(sink.no_body);
        ReadResponse read;
        bool is_interim = false;
        auto on_header = [&] {
            if (parser.status < 100)
                throw HttpError(HttpFailure::BadResponse,
                                fmt::format("status {} does not exist", parser.status));
            is_interim = parser.status >= 100 && parser.status < 200;
            read.response.status = parser.status;
            read.response.reason = parser.first;
            read.response.headers = parser.headers;
            if (!is_interim && sink.on_header) sink.on_header(read.response);
        };
        auto on_data = [&](std::string_view data) {
            if (sink.on_data && read.response.ok()) return sink.on_data(data);
            read.response.body += data;
            return true;
        };
        read.stopped = !run(parser, limits, on_header, on_data, cancel);
        if (parser.status == 101)
            throw HttpError(HttpFailure::BadResponse, "the server changed the protocol unasked");
        if (is_interim) continue;
        read.keep_alive = !read.stopped && parser.keep_alive();
        return read;
    }
    throw HttpError(HttpFailure::BadResponse, "endless interim answers");
}

std::optional<ReadRequest> HttpReader::read_request(const MessageLimits& limits,
                                                    const std::function<void()>& on_expect,
                                                    const Cancel& cancel) {
    if (!wait_for_message(cancel)) return std::nullopt;
    Parser<true> parser(limits.header);
    ReadRequest read;
    auto on_header = [&] {
        read.request.headers = parser.headers;
        if (!parser.is_done() && equals_nocase(parser.headers.get("Expect"), "100-continue"))
            on_expect();
    };
    auto on_data = [&](std::string_view data) {
        read.request.body += data;
        return true;
    };
    run(parser, limits, on_header, on_data, cancel);
    read.request.method = parser.first;
    read.request.target = parser.second;
    read.keep_alive = parser.keep_alive();
    read.http10 = parser.version < 11;
    return read;
}

} // namespace assay
