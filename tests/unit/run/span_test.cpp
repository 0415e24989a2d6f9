// Which span an event belongs to: by itself, and through a whole trial.
#include "assay/base/json.h"
#include "catch.h"
#include "run_fixture.h"

#include <nlohmann/json.hpp>

#include <thread>

using namespace assay;
using namespace assay::test;

namespace {

// "kind word", below the event that opened its span, in order.
std::string outline(const std::vector<FakeEvent>& events) {
    std::string out;
    std::map<std::optional<std::int64_t>, int> depth;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const FakeEvent& event = events[i];
        depth[static_cast<std::int64_t>(i)] = event.span ? depth.at(event.span) + 1 : 0;
        auto json = nlohmann::json::parse(event.json);
        std::string word;
        for (const char* key : {"phase", "name", "what", "text", "metric"})
            if (word.empty()) word = json.value(key, "");
        out += std::string(2 * static_cast<std::size_t>(depth[static_cast<std::int64_t>(i)]), ' ');
        out += std::string(to_string(event.kind)) + (word.empty() ? "" : " " + word) + "\n";
    }
    return out;
}

std::string named(std::string_view text) {
    return "{\"text\":\"" + std::string(text) + "\"}";
}

template<class T>
concept CanBeOnTheHeap =
    requires(EventSink& sink) { new T(sink, EventKind::Note, std::string("{}")); };

class EchoTool final : public Tool {
  public:
    explicit EchoTool(TrialContext& context)
        : context_(context) {}
    const ToolSpec& spec() const override { return spec_; }
    ToolOutcome call(std::string_view, const Cancel&) override {
        recorded_exec(context_.environment().main(), {"echo"}, {}, context_);
        return text_outcome("done");
    }

  private:
    TrialContext& context_;
    ToolSpec spec_{"echo", "", "{}"};
};

// Fails once, tells so, then answers.
class BumpyModel final : public Model {
  public:
    std::string name() const override { return "bumpy"; }
    ModelCapabilities capabilities() const override { return {}; }
    std::string connection_key() const override { return ""; }
    Completion complete(const CompletionRequest& request, const DeltaSink&,
                        const Cancel&) override {
        request.events->emit(EventKind::Retry, R"({"what":"model"})");
        Completion completion;
        completion.message = {Role::Assistant, {TextPart{"yes"}}};
        return completion;
    }
};

} // namespace

static_assert(!CanBeOnTheHeap<Span> && !std::is_move_constructible_v<Span>);

TEST_CASE("spans: an event belongs to the innermost one of its thread") {
    FakeSink sink, other;
    sink.emit(EventKind::Note, named("before"));
    {
        Span phase(sink, EventKind::PhaseBegin, R"({"phase":"agent"})");
        sink.begin_turn(EventKind::Model, named("first"));
        {
            Span tool(sink, EventKind::ToolCall, named("tool"));
            sink.emit(EventKind::Exec, named("inside"));
            other.emit(EventKind::Note, named("of another sink"));
            std::thread([&] { sink.emit(EventKind::Note, named("of another thread")); }).join();
            sink.begin_turn(EventKind::Model, named("of a tool that is an agent"));
            sink.emit(EventKind::Note, named("in the tool's turn"));
            tool.end(EventKind::ToolResult, named("tool"));
        }
        std::thread([&] {
            Span tool(sink, EventKind::ToolCall, named("of another thread"));
            sink.emit(EventKind::Exec, named("inside"));
        }).join();
        sink.emit(EventKind::Note, named("in the turn"));
        sink.end_turn();
        sink.emit(EventKind::Note, named("between"));
        sink.begin_turn(EventKind::Model, named("second"));
        CHECK_THROWS([&] {
            Span tool(sink, EventKind::ToolCall, named("breaks"));
            throw std::runtime_error("x");
        }());
        sink.emit(EventKind::Note, named("in the second turn"));
        phase.end(EventKind::PhaseEnd, R"({"phase":"agent"})");
    }
    std::thread([&] { sink.emit(EventKind::Note, named("late")); }).join();
    sink.emit(EventKind::Note, named("after"));
    CHECK(outline(sink.all()) == R"(note before
phase_begin agent
  model first
    tool_call tool
      exec inside
    note of another thread
      model of a tool that is an agent
        note in the tool's turn
      tool_result tool
    tool_call of another thread
      exec inside
    note in the turn
  note between
  model second
    tool_call breaks
    note in the second turn
  phase_end agent
note late
note after
)");
    CHECK_FALSE(other.all().at(0).span);
}

TEST_CASE("spans: a trial's phases, turns and tool calls nest, and nobody passes an id") {
    RunFixture f;
    f.models["agent"] = std::make_shared<BumpyModel>();
    f.models["judge"] = std::make_shared<BumpyModel>();
    auto ask = [](TrialContext& context, const char* role, const char* text) {
        CompletionRequest request;
        request.messages = {user_message(text)};
        context.model(role).complete(request, {}, context.cancel());
    };
    f.agent = [&](const Task&, TrialContext& context) {
        EchoTool tool(context);
        ask(context, "agent", "one");
        call_tool(&tool, {"1", "echo", "{}"}, context);
        context.submit("no");
        ask(context, "agent", "two");
        call_tool(&tool, {"2", "echo", "{}"}, context);
        context.submit("yes");
    };
    f.suite.on_score = [&](const Task&, TrialContext& context) {
        ask(context, "judge", "well?");
        recorded_exec(context.environment().main(), {"diff"}, {}, context);
    };
    f.go();
    CHECK(outline(f.only_try().events) == R"(phase_begin environment_start
  message
  sandbox main
  phase_end environment_start
phase_begin agent_setup
  phase_end agent_setup
phase_begin agent
  retry model
  model
    tool_call echo
      exec
      tool_result echo
    note submitted
  retry model
  model
    tool_call echo
      exec
      tool_result echo
    note submitted
  phase_end agent
phase_begin collect
  phase_end collect
phase_begin verify
  retry model
  model
  exec
  score reward
  phase_end verify
phase_begin clean_up
  phase_end clean_up
)");
}
