// A trial's story: events, nested by spans.
//
//   Span span(context.events(), EventKind::ToolCall, json); // the event that opens it
//   tool->call(...);                                         // what it emits is inside
//   span.end(EventKind::ToolResult, json, blobs);            // the event that closes it
//
// A span's id is the number of the event that opened it, so nesting costs no row. Nobody passes ids
// by hand: an event belongs to the innermost span that its thread is in; a thread that is in none
// emits into the sink's outermost span, which is the trial's phase. Spans are scopes, never moved
// nor on the heap: one ends before what is around it, on its own thread, or the process does.
//
// A turn is what an agent does with an answer of its model: from that answer's event until the
// agent's next call, or the end of the span around, whichever comes first.
#pragma once

#include "assay/api/content.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Kinds of events; docs/events.md documents the JSON of each. The numbers are stored: append only.
enum class EventKind {
    PhaseBegin = 1, // {"phase"}
    PhaseEnd = 2,   // {"phase","seconds","end"}
    Model = 3,      // {"call","role","finish","prompt_tokens","completion_tokens",...}
    ToolCall = 4,   // {"id","name"} + blob "arguments"
    ToolResult = 5, // {"id","name","is_error","seconds"} + blobs
    Exec = 6,       // {"argv"|"command","code","signal","timed_out","seconds"} + blobs "out","err"
    Terminal = 7,   // {"bytes"} + blob "screen"; keystrokes sent
    Message = 8,    // a message not from a model: the instruction, a warning to the agent
    Note = 9,       // {"text"}
    Error = 10,     // {"kind","message","frames"}
    Limit = 11,     // {"cause","detail"}
    Score = 12,     // {"metric","value"}
    Sandbox = 13,   // {"name","event"}: started, stopped, checkpoint, oom, pids
    Retry = 14,     // {"what","after_seconds","reason"}
};
std::string_view to_string(EventKind kind);

struct EventBlob {
    std::string_view name;
    BlobRef blob;
};

// Where the story goes. Thread-safe; cheap: one event is queued, not written.
class EventSink {
  public:
    EventSink() = default;
    EventSink(const EventSink&) = delete;
    EventSink& operator=(const EventSink&) = delete;
    virtual ~EventSink() = default;

    // `json` is a small JSON object as text (use json_quote); large values belong into blobs.
    void emit(EventKind kind, std::string json, std::vector<EventBlob> blobs = {});
    // The answer that begins a turn, and the call that ends it; for the model that records.
    void begin_turn(EventKind kind, std::string json);
    void end_turn();

  protected:
    // Keeps an event that belongs to a span, or to none, and returns its number: from 0, ascending.
    virtual std::int64_t write(std::optional<std::int64_t> span, EventKind kind, std::string json,
                               std::vector<EventBlob> blobs) = 0;

  private:
    friend class Span;
    static constexpr std::int64_t kNone = -1;
    struct Place {
        std::atomic<std::int64_t> span{kNone}; // by the number of the event that opened it
        std::atomic<std::int64_t> turn{kNone}; // within the span
    };
    Place& place();
    std::int64_t write_at(std::int64_t span, EventKind kind, std::string json,
                          std::vector<EventBlob> blobs);
    static std::int64_t innermost(const Place& place);

    Place root_; // the outermost span of all
};

class Span {
  public:
    Span(EventSink& sink, EventKind kind, std::string json, std::vector<EventBlob> blobs = {});
    ~Span();
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;
    static void* operator new(std::size_t) = delete;

    // Writes the event that closes the span, after the span's last turn.
    void end(EventKind kind, std::string json, std::vector<EventBlob> blobs = {});

  private:
    friend class EventSink;
    EventSink& sink_;
    Span* const around_; // on this thread
    EventSink::Place own_;
    EventSink::Place* place_ = &own_; // or the sink's root_: then own_ keeps root_'s turn
};

} // namespace assay
