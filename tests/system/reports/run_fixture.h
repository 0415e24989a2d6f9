// A small run with every class of attempt and hostile text in every place.
#pragma once

#include "assay/base/fs.h"
#include "assay/store/store.h"

#include <string>

namespace assay::test {

// Each would change document.title if the page let it through.
inline const std::string kHostile[] = {
    "</script><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "<a href=\"javascript:document.title='pwned'\">x</a>",
    "\xE2\x80\xAE gnp.exe \xE2\x80\xAC",      // bidi override
    "\x1b]0;pwned\x07\x1b[31mred\x1b[0m\xff", // terminal escapes, invalid UTF-8
    "<!--<script>",
    "]]>",
    "&lt;b&gt;",
    "' onfocus=alert(1) autofocus '",
};

inline std::string all_hostile() {
    std::string out;
    for (const std::string& text : kHostile) out += text + "\n";
    return out;
}

inline PlanRecord make_plan(int tasks, int attempts) {
    PlanRecord plan;
    plan.run = Id::derive("run");
    plan.suite = "fixture";
    plan.suite_version = "1";
    plan.source = kHostile[0];
    plan.seed = 7;
    plan.settings = R"({"verifier":"official"})";
    plan.metrics = R"([{"name":"reward","primary":true}])";
    ArmRecord arm{Id::derive("arm"), "tools@script:x", "tools", "1", "script:x", "", "{}"};
    plan.arms.push_back(arm);
    std::int64_t order = 0;
    for (int k = 1; k <= attempts; ++k)
        for (int t = 0; t < tasks; ++t) {
            std::string task = t == 0 ? kHostile[1] : "task-" + std::to_string(t);
            SlotRecord slot{Id::derive(task + "/" + std::to_string(k)),
                            arm.id,
                            task,
                            "family-" + std::to_string(t / 2),
                            "sha256:00",
                            k,
                            order++};
            plan.slots.push_back(slot);
        }
    plan.refused.emplace_back("windows-task", kHostile[2]);
    return plan;
}

inline void write_try(RunStore& store, const SlotRecord& slot, TryEnd end, int turns,
                      const std::string& deviations = "[]") {
    auto writer = store.begin_try(slot.id);
    auto put = [&](const std::string& text, const char* type = "text/plain") {
        return store.blobs().put(text, type);
    };
    auto message = [&](const Message& m) { return put(to_json(m), "application/json"); };
    writer->phase({"agent", 1'700'000'000'000'000, 1.5, 0, "done"});
    std::optional<Id> parent;
    std::optional<Span> phase;
    phase.emplace(*writer, EventKind::PhaseBegin, R"({"phase":"agent"})");
    writer->emit(EventKind::Message, R"({"role":"user","why":"instruction"})",
                 {{"text", put("Do it. " + all_hostile())}});
    for (int turn = 0; turn < turns; ++turn) {
        CallRecord call;
        call.id = Id::derive(slot.id.hex() + std::to_string(turn));
        call.parent = parent;
        call.role = "agent";
        call.turn = turn;
        call.model = "x";
        call.finish = "tool_calls";
        call.usage = {100, 10, 20, 0, 0.001};
        if (turn == 0) call.added.push_back(message(*user_message("Do it. " + all_hostile())));
        std::string id = "call_" + std::to_string(turn);
        call.output = message(Message{Role::Assistant,
                                      {ReasoningPart{"I think " + kHostile[4], ""},
                                       TextPart{"Step " + std::to_string(turn) + kHostile[0]},
                                       ToolCall{id, "shell", R"({"command":"ls <b>"})"}}});
        writer->call(call);
        writer->begin_turn(EventKind::Model,
                           R"({"call":")" + call.id.hex() + R"(","role":"agent"})");
        Span tool(*writer, EventKind::ToolCall, R"({"id":")" + id + R"(","name":"shell"})",
                  {{"arguments", put(R"({"command":"ls"})", "application/json")}});
        tool.end(EventKind::ToolResult,
                 R"({"id":")" + id + R"(","name":"shell","is_error":false,"seconds":0.01})",
                 {{"text", put(all_hostile())}});
        parent = call.id;
    }
    phase.reset();
    phase.emplace(*writer, EventKind::PhaseBegin, R"({"phase":"verify"})");
    {
        Span tool(*writer, EventKind::ToolCall, R"({"id":"v","name":"checker"})");
        tool.end(EventKind::ToolResult, R"({"id":"v","name":"checker","seconds":0.01})",
                 {{"text", put("the verifier's own")}});
    }
    writer->emit(EventKind::Exec, R"({"sandbox":"main","argv":["bash","-c","<script>"],"code":1})",
                 {{"out", put(all_hostile())}, {"err", put("oops")}});
    writer->artifact("agent/terminal.cast",
                     put("{\"version\":2,\"width\":40,\"height\":10}\n[0.1,\"o\",\"hello "
                         "\\u001b[31m</script> and more than 20\"]\n[0.5,\"o\",\"\\r\\nworld\"]\n"
                         "[1.0,\"r\",\"20x5\"]\n[1.5,\"o\",\"\\r\\nlast\"]\n"));
    if (end.score)
        writer->score(
            {"fixture", "1", "reward", true, *end.score, put(all_hostile()), deviations, "{}"});
    end.turns = turns;
    if (end.usage.prompt_tokens == 0) end.usage = {300, 30, 60, 0, 0.003};
    if (end.wall_seconds == 0) end.wall_seconds = 2;
    phase.reset();
    writer->finish(end);
}

inline Path make_run(const Path& folder, int turns = 3) {
    Path file = folder / "run.db";
    PlanRecord plan = make_plan(4, 2);
    auto store = RunStore::create(file, plan, {});
    store->environment(R"({"kernel":"6.1","build":"<script>alert(1)</script>"})");
    store->connection_changed({1, "openai:m", 20, 16, "overload <b>"});
    using enum AttemptClass;
    const AttemptClass classes[] = {Scored,        AgentFailure, Limit,  InfrastructureError,
                                    VerifierError, Scored,       Scored, Cancelled};
    for (std::size_t i = 0; i < plan.slots.size(); ++i) {
        TryEnd end;
        end.attempt_class = classes[i];
        end.agent = classes[i] == Limit ? AgentEnd::Limit : AgentEnd::Done;
        end.verify = VerifyEnd::Done;
        end.accepted = classes[i] != Cancelled;
        if (classes[i] == Scored) end.score = i == 0 ? 1.0 : 0.5;
        if (classes[i] == AgentFailure || classes[i] == Limit) end.score = 0;
        if (classes[i] == InfrastructureError)
            end.error = ErrorRecord{"sandbox", "lost " + kHostile[0], "while x"};
        if (classes[i] == VerifierError)
            end.error = ErrorRecord{"verifier", "RewardFileNotFoundError: none", ""};
        write_try(*store, plan.slots[i], end, turns);
    }
    store->finish_run("complete");
    return file;
}

} // namespace assay::test
