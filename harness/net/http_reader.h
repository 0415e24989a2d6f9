// Reads HTTP messages from a Stream, on Beast's parser. What follows a message stays for the next.
#pragma once

#include "assay/base/clock.h"
#include "assay/base/stream.h"
#include "assay/net/http.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace assay {

struct MessageLimits {
    std::uint32_t header = 0;
    std::uint64_t body = 0;
    std::optional<Nanoseconds> idle; // for the next byte
};

struct ReadResponse {
    HttpResponse response;
    bool keep_alive = false;
    bool stopped = false; // on_data said so; the rest is unread
};

struct ReadRequest {
    HttpRequest request;
    bool keep_alive = false;
    bool http10 = false;
};

class HttpReader {
  public:
    explicit HttpReader(Stream& stream)
        : stream_(stream) {}

    struct ResponseSink {
        bool no_body = false; // answer to HEAD, or a tunnel
        std::function<void(const HttpResponse&)> on_header;
        std::function<bool(std::string_view)> on_data; // of a 2xx
    };
    // Interim (1xx) answers are skipped. Throws HttpError, Interrupted, Error(Io) of the stream.
    ReadResponse read_response(const MessageLimits& limits, const ResponseSink& sink,
                               const Cancel& cancel);
    // nullopt: the peer closed between requests. `on_expect` is called before the body of a request
    // that waits for "100 Continue".
    std::optional<ReadRequest> read_request(const MessageLimits& limits,
                                            const std::function<void()>& on_expect,
                                            const Cancel& cancel);
    // Waits until the first byte of a message is there; false: the peer closed.
    bool wait_for_message(const Cancel& cancel);

    bool got_bytes() const { return got_bytes_; } // since reset_got_bytes
    void reset_got_bytes() { got_bytes_ = false; }
    bool has_leftover() const { return !buffer_.empty(); }
    bool in_body() const { return in_body_; } // the header of the last message was read

  private:
    template<class Parser, class OnHeader, class OnData>
    bool run(Parser& parser, const MessageLimits& limits, OnHeader on_header, OnData on_data,
             const Cancel& cancel);
    bool fill(const std::optional<Nanoseconds>& idle, const Cancel& cancel);

    Stream& stream_;
    std::string buffer_;
    bool got_bytes_ = false;
    bool in_body_ = false;
};

} // namespace assay
