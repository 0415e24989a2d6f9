// What a chat-completions server answers, whole or as a stream of chunks. Pure functions over
// untrusted text: they throw ModelError and nothing else.
#pragma once

#include "assay/api/model.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Puts a completion together from the data of server-sent events.
//
//   OpenAiStream stream;
//   for (event : events) stream.feed(event.data, sink);
//   Completion c = stream.finish();       // throws ModelError(Retry) if it was cut
class OpenAiStream {
  public:
    OpenAiStream();
    ~OpenAiStream();
    OpenAiStream(OpenAiStream&&) noexcept;
    void feed(std::string_view data, const DeltaSink& sink);
    bool done() const;  // "[DONE]" has come
    bool began() const; // some piece of the answer has come
    // The id of the completion stays empty.
    Completion finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// A whole answer ("stream": false, or a server that does not stream).
Completion parse_openai_response(std::string_view body);

// The error behind a status other than 2xx. `retry_after` and `date` are the header fields.
ModelError openai_error(int status, std::string_view body, std::string_view retry_after,
                        std::string_view date);

// Seconds from a Retry-After field: a number, or an HTTP date seen from `date` (the server's own
// clock, another HTTP date) or else from now.
std::optional<double> parse_retry_after(std::string_view field, std::string_view date);
// Seconds since the epoch of an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<std::int64_t> parse_http_date(std::string_view text);

} // namespace assay
