#include "assay/api/events.h"

#include <exception>
#include <utility>

namespace assay {

namespace {

thread_local Span* t_innermost = nullptr;

} // namespace

std::string_view to_string(EventKind kind) {
    switch (kind) {
    case EventKind::PhaseBegin:
        return "phase_begin";
    case EventKind::PhaseEnd:
        return "phase_end";
    case EventKind::Model:
        return "model";
    case EventKind::ToolCall:
        return "tool_call";
    case EventKind::ToolResult:
        return "tool_result";
    case EventKind::Exec:
        return "exec";
    case EventKind::Terminal:
        return "terminal";
    case EventKind::Message:
        return "message";
    case EventKind::Note:
        return "note";
    case EventKind::Error:
        return "error";
    case EventKind::Limit:
        return "limit";
    case EventKind::Score:
        return "score";
    case EventKind::Sandbox:
        return "sandbox";
    case EventKind::Retry:
        return "retry";
    }
    return "note";
}

EventSink::Place& EventSink::place() {
    for (Span* span = t_innermost; span != nullptr; span = span->around_)
        if (&span->sink_ == this) return *span->place_;
    return root_;
}

std::int64_t EventSink::innermost(const Place& place) {
    std::int64_t turn = place.turn;
    return turn == kNone ? place.span.load() : turn;
}

std::int64_t EventSink::write_at(std::int64_t span, EventKind kind, std::string json,
                                 std::vector<EventBlob> blobs) {
    std::optional<std::int64_t> id;
    if (span != kNone) id = span;
    return write(id, kind, std::move(json), std::move(blobs));
}

void EventSink::emit(EventKind kind, std::string json, std::vector<EventBlob> blobs) {
    write_at(innermost(place()), kind, std::move(json), std::move(blobs));
}

void EventSink::begin_turn(EventKind kind, std::string json) {
    Place& here = place();
    here.turn = write_at(here.span, kind, std::move(json), {});
}

void EventSink::end_turn() {
    place().turn = kNone;
}

Span::Span(EventSink& sink, EventKind kind, std::string json, std::vector<EventBlob> blobs)
    : sink_(sink)
    , around_(t_innermost) {
    EventSink::Place& outer = sink.place();
    std::int64_t id =
        sink.write_at(EventSink::innermost(outer), kind, std::move(json), std::move(blobs));
    std::int64_t none = EventSink::kNone;
    if (&outer == &sink.root_ && sink.root_.span.compare_exchange_strong(none, id)) {
        place_ = &sink.root_;
        own_.turn = place_->turn.exchange(EventSink::kNone);
    } else {
        own_.span = id;
    }
    t_innermost = this;
}

Span::~Span() {
    if (t_innermost != this) std::terminate(); // not a scope: what is inside would go astray
    t_innermost = around_;
    if (place_ == &own_) return;
    place_->turn = own_.turn.load();
    place_->span = EventSink::kNone;
}

void Span::end(EventKind kind, std::string json, std::vector<EventBlob> blobs) {
    place_->turn = EventSink::kNone;
    sink_.write_at(place_->span, kind, std::move(json), std::move(blobs));
}

} // namespace assay
