// Server-sent events (WHATWG HTML, section 9.2): incremental parser and writer.
//
//   SseParser parser;
//   for (const SseEvent& event : parser.feed(bytes)) ...
//
// Bytes may be cut anywhere. An event that the stream ends in the middle of is dropped, as the
// standard says. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct SseEvent {
    std::string event = "message";
    std::string data;                  // lines joined by '\n'; valid UTF-8
    std::string id;                    // the last id of the stream so far
    std::optional<std::int64_t> retry; // milliseconds, if given since the event before
    bool operator==(const SseEvent&) const = default;
};

class SseParser {
  public:
    explicit SseParser(std::size_t event_limit = 16 << 20) // bytes of one event
        : limit_(event_limit) {}
    // Throws Error(Io) on an event over the limit; the parser is of no use after that.
    std::vector<SseEvent> feed(std::string_view bytes);

  private:
    void end_line(std::vector<SseEvent>& events);
    void set_field(std::string_view name, std::string_view value);
    void dispatch(std::vector<SseEvent>& events);

    std::size_t limit_;
    std::string line_; // of the line that is not complete yet
    std::string type_, data_, id_;
    std::optional<std::int64_t> retry_;
    bool first_line_ = true; // may begin with a byte order mark
    bool after_cr_ = false;  // a '\n' now belongs to the line before
};

// The wire form; event "message", empty id and absent retry are left out.
std::string format_sse(const SseEvent& event);

} // namespace assay
