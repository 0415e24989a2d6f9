#include "assay/agents/agents.h"
#include "assay/base/text.h"
#include "catch.h"
#include "fake_trial.h"
#include "tool_bridge.h"

#include <array>
#include <thread>

using namespace assay;
using namespace assay::test;

namespace {

std::string reply(const std::string& keys, bool complete = false, const std::string& extra = "") {
    return R"({"analysis":"a","plan":"p","commands":[)" +
           (keys.empty() ? std::string()
                         : R"({"keystrokes":)" + json_quote(keys) + R"(,"duration":0})") +
           "]" + extra + (complete ? R"(,"task_complete":true})" : "}");
}

// A trial whose terminal answers by `shell` and keeps what was typed.
struct Bench {
    Bench() {
        trial.sandbox().on_terminal = [this](const TerminalOptions& options) {
            opened = options;
            auto made = std::make_unique<FakeTerminal>([this](std::string_view bytes) {
                typed.emplace_back(bytes);
                return shell ? shell(std::string(bytes)) : std::string(bytes) + "$ ";
            });
            terminal = made.get();
            return made;
        };
        task.instruction = "make it so";
    }
    FakeModel& model() { return trial.fake_model(); }
    void run(const Settings& settings = {}) { make_agent("terminus", settings)->run(task, trial); }
    std::string prompt(std::size_t request) {
        return model().requests.at(request).messages.back()->text();
    }
    static bool has(const std::string& text, std::string_view part) {
        return text.find(part) != std::string::npos;
    }

    FakeTrial trial;
    Task task;
    TerminalOptions opened;
    FakeTerminal* terminal = nullptr;
    std::vector<std::string> typed;
    std::function<std::string(const std::string&)> shell;
};

} // namespace

TEST_CASE("terminus: a command fails, a reply is malformed, the model recovers and solves") {
    Bench b;
    b.shell = [](const std::string& keys) {
        return keys + (keys == "make\n" ? "make: *** No targets.\n$ " : "ok\n$ ");
    };
    b.model()
        .say(reply("make\n"))
        .say("I think I should {not answer")
        .say(reply("gcc x.c\n"))
        .say(reply("", true))
        .say(reply("", true));
    b.run();
    CHECK(b.opened.size.columns == 160);
    CHECK(b.opened.size.rows == 40);
    CHECK(b.typed == std::vector<std::string>{"make\n", "gcc x.c\n"});
    CHECK(Bench::has(b.prompt(0), "make it so"));
    CHECK(Bench::has(b.prompt(0), "Current Terminal Screen:\n$ "));
    CHECK(Bench::has(b.prompt(1), "New Terminal Output:\n$ make\nmake: *** No targets.\n$ "));
    CHECK(Bench::has(b.prompt(2), "could not be read"));
    CHECK(Bench::has(b.prompt(3), "ok\n$ "));
    CHECK(Bench::has(b.prompt(4), "say so again"));
    CHECK(b.model().requests.size() == 5);
    CHECK(b.model().requests[0].messages.size() == 1); // no system message
    CHECK(b.model().requests[4].messages.size() == 9);
    CHECK(b.model().requests[4].parent == Id::derive("fake/4"));
    CHECK(b.trial.sink.count(EventKind::Terminal) == 2);
    CHECK(b.trial.sink.has(EventKind::Terminal, R"("keys":"make\n")"));
    CHECK(b.trial.artifacts.count("agent/recording.cast") == 1);
    CHECK(b.trial.submitted.empty());
}

TEST_CASE("terminus: complete, a reply with errors, complete again ends the run") {
    Bench b;
    b.model().say(reply("", true)).say("nonsense").say(reply("touch x\n", true)).say("never");
    b.run();
    CHECK(b.model().requests.size() == 3);
    CHECK(b.typed == std::vector<std::string>{"touch x\n"}); // its commands run before the end
}

TEST_CASE("terminus: going on takes the claim back") {
    Bench b;
    b.model()
        .say(reply("", true))
        .say(reply("ls\n"))
        .say(reply("", true))
        .say(reply("", true))
        .say("never");
    b.run();
    CHECK(b.model().requests.size() == 4);
}

TEST_CASE("terminus: warnings stand before the output, but not in the confirmation") {
    Bench b;
    std::string warned = "Well: " + reply("ls\n");
    std::string warned_complete = "Well: " + reply("", true);
    b.model().say(warned).say(warned_complete).say(reply("", true));
    b.run();
    CHECK(Bench::has(b.prompt(1), "text before"));
    CHECK(Bench::has(b.prompt(1), "New Terminal Output"));
    CHECK_FALSE(Bench::has(b.prompt(2), "text before"));
}

TEST_CASE("terminus: keys by name, a reply cut at its length, the end of the shell") {
    Bench b;
    b.shell = [&](const std::string& keys) {
        if (keys == "exit\n") b.terminal->live = false;
        return keys;
    };
    b.model()
        .say(reply("C-c"))
        .say(reply("rm -rf /\n"), Finish::Length)
        .say(reply("exit\n"))
        .say("never");
    b.run();
    CHECK(b.typed == std::vector<std::string>{"\x03", "exit\n"}); // what was cut is not typed
    CHECK(Bench::has(b.prompt(2), "cut off"));
    CHECK(b.model().requests.size() == 3);
    CHECK(b.trial.sink.has(EventKind::Note, "shell has ended"));
}

TEST_CASE("terminus: a limit goes through, the recording is kept") {
    Bench b;
    b.model().say(reply("ls\n")).then([&](const CompletionRequest&) -> Completion {
        b.trial.stop.cancel(Cause::TurnLimit, "1 turn");
        b.trial.stop.check();
        return {};
    });
    REQUIRE_THROWS_AS(b.run(), Interrupted);
    CHECK(b.trial.artifacts.count("agent/recording.cast") == 1);

    Bench turns;
    turns.model().otherwise = [](const CompletionRequest&) {
        Completion c;
        c.message = {Role::Assistant, {TextPart{reply("ls\n")}}};
        return c;
    };
    turns.run({{"max_turns", "3"}});
    CHECK(turns.model().requests.size() == 3);
    CHECK(turns.trial.sink.has(EventKind::Limit, "max_turns"));
}

TEST_CASE("terminus: a wait ends with the cancel") {
    Bench b;
    b.model().say(R"({"analysis":"","plan":"","commands":[{"keystrokes":"","duration":60}]})");
    b.trial.stop = Cancel().child(Cause::Deadline, std::chrono::milliseconds(50), "50 ms");
    REQUIRE_THROWS_AS(b.run(), Interrupted);
}

TEST_CASE("terminus: XML replies, salvaged where they were cut after the end") {
    auto xml = [](const std::string& keys, const char* complete) {
        return "<response><analysis>a</analysis><plan>p</plan><commands><keystrokes "
               "duration=\"0\">" +
               keys + "</keystrokes></commands><task_complete>" + complete +
               "</task_complete></response>";
    };
    Bench b;
    b.model()
        .say(xml("ls\n", "false") + " and then", Finish::Length)
        .say("<response><analysis>half", Finish::Length)
        .say(xml("", "true"))
        .say(xml("", "true"));
    b.run({{"parser", "xml"}});
    CHECK(b.typed == std::vector<std::string>{"ls\n"});
    CHECK(Bench::has(b.prompt(0), "<keystrokes duration"));
    CHECK(Bench::has(b.prompt(2), "cut off"));
}

TEST_CASE("terminus: reasoning leaves the history unless it is kept") {
    for (bool keep : {false, true}) {
        Bench b;
        b.model()
            .then([](const CompletionRequest&) {
                Completion c;
                c.message = {Role::Assistant, {ReasoningPart{"hm", ""}, TextPart{reply("ls\n")}}};
                return c;
            })
            .say(reply("", true))
            .say(reply("", true));
        b.run({{"keep_reasoning", keep ? "true" : "false"}});
        CHECK(b.model().requests.at(1).messages.at(1)->parts.size() == (keep ? 2 : 1));
    }
}

TEST_CASE("terminus: a context that grows full is handed over in three parts") {
    Bench b;
    b.trial.fake_model().can.context_tokens = 20'000;
    auto full = [](const CompletionRequest&) {
        Completion c;
        c.message = {Role::Assistant, {TextPart{reply("ls\n")}}};
        c.usage.prompt_tokens = 15'000;
        c.usage.completion_tokens = 100;
        return c;
    };
    b.model()
        .then(full)
        .say("THE SUMMARY")
        .say("THE QUESTIONS")
        .say("THE ANSWERS")
        .say(reply("", true))
        .say(reply("", true));
    b.run();
    REQUIRE(b.model().requests.size() == 6);
    CHECK(Bench::has(b.prompt(1), "Someone else will go on"));
    CHECK(b.model().requests[1].messages.size() == 3);
    CHECK(b.model().requests[2].messages.size() == 1); // a fresh context
    CHECK_FALSE(b.model().requests[2].parent);
    CHECK(Bench::has(b.prompt(2), "THE SUMMARY"));
    CHECK(Bench::has(b.prompt(2), "at least five questions"));
    CHECK(Bench::has(b.prompt(3), "THE QUESTIONS"));
    CHECK(b.model().requests[3].messages.size() == 5);
    const auto& next = b.model().requests[4].messages;
    REQUIRE(next.size() == 4); // first message, question prompt, questions, answers
    CHECK(next[0] == b.model().requests[0].messages[0]);
    CHECK(next[2]->text() == "THE QUESTIONS");
    CHECK(Bench::has(next[3]->text(), "THE ANSWERS"));
    CHECK(Bench::has(next[3]->text(), "Current Terminal Screen"));
    CHECK_FALSE(b.model().requests[4].parent);
    CHECK(b.trial.sink.has(EventKind::Note, "handed over"));
}

TEST_CASE("terminus: an overflow drops exchanges, then hands over; fallbacks follow") {
    SECTION("the hand-over works") {
        Bench b;
        b.model()
            .say(reply("a\n"))
            .say(reply("b\n"))
            .fail(ModelFault::ContextOverflow)
            .say("S")
            .say("Q")
            .say("A")
            .say(reply("", true))
            .say(reply("", true));
        b.run();
        CHECK(b.model().requests.at(3).messages.size() == 3); // one pair less, and the prompt
        CHECK(b.model().requests.back().messages.size() == 6);
    }
    SECTION("the summary overflows too: a short one from the screen") {
        Bench b;
        b.model()
            .say(reply("a\n"))
            .fail(ModelFault::ContextOverflow)
            .fail(ModelFault::ContextOverflow)
            .say("SHORT")
            .say(reply("", true))
            .say(reply("", true));
        b.run();
        CHECK(Bench::has(b.prompt(4), "SHORT"));
        CHECK(b.model().requests.at(4).messages.size() == 2);
    }
    SECTION("nothing works: the bare task") {
        Bench b;
        b.model()
            .say(reply("a\n"))
            .fail(ModelFault::ContextOverflow)
            .fail(ModelFault::ContextOverflow)
            .fail(ModelFault::ContextOverflow)
            .say(reply("", true))
            .say(reply("", true));
        b.run();
        CHECK(Bench::has(b.prompt(4), "make it so"));
        CHECK(b.trial.sink.has(EventKind::Note, "bare task"));
    }
    SECTION("it never fits: the overflow ends the trial") {
        Bench b;
        b.model().otherwise = [](const CompletionRequest&) -> Completion {
            throw ModelError(ModelFault::ContextOverflow, "too long");
        };
        REQUIRE_THROWS_AS(b.run(), ModelError);
        CHECK(b.model().requests.size() < 10);
    }
    SECTION("an infrastructure error in the hand-over is not swallowed") {
        Bench b;
        b.model()
            .say(reply("a\n"))
            .fail(ModelFault::ContextOverflow)
            .fail(ModelFault::Retry, "connection lost");
        REQUIRE_THROWS_WITH(b.run(), Catch::Contains("connection lost"));
    }
    SECTION("without summaries the overflow ends the trial at once") {
        Bench b;
        b.model().say(reply("a\n")).fail(ModelFault::ContextOverflow);
        REQUIRE_THROWS_AS(b.run({{"summarize", "false"}}), ModelError);
        CHECK(b.model().requests.size() == 2);
    }
}

namespace {

struct AddTool final : Tool {
    const ToolSpec& spec() const override { return about; }
    ToolOutcome call(std::string_view arguments, const Cancel&) override {
        if (arguments == R"({"lost":1})") throw SandboxLost("gone");
        return text_outcome("sum of " + std::string(arguments));
    }
    ToolSpec about{"add", "Adds numbers.\nSecond line.", R"({"type":"object"})"};
};

// One request of the client, as its script sends it.
std::string request(FakeTrial& trial, const std::string& bytes) {
    std::jthread thread;
    Cancel cancel;
    auto stream = trial.sandbox().call_service(0, thread, cancel);
    std::string out;
    std::array<char, 4096> chunk;
    try {
        stream->write(bytes, cancel);
        while (std::size_t n = stream->read(chunk, cancel)) out.append(chunk.data(), n);
    } catch (const Error&) { // it may close before it has read all that it does not want
    }
    return out;
}

} // namespace

TEST_CASE("tool bridge: list, show, call, answer and what is wrong") {
    FakeTrial trial;
    trial.suite_tools.add(std::make_unique<AddTool>());
    {
        ToolBridge bridge(trial);
        CHECK(request(trial, "list - 0\n") == "ok 18\nadd: Adds numbers.");
        CHECK(Bench::has(request(trial, "show add 0\n"), R"({"type":"object"})"));
        CHECK(request(trial, "call add 7\n{\"a\":1}") == "ok 14\nsum of {\"a\":1}");
        CHECK(Bench::has(request(trial, "call add 4\n{\"a\""), "not valid JSON"));
        CHECK(Bench::has(request(trial, "call sub 2\n{}"), "no tool named 'sub'"));
        CHECK(Bench::has(request(trial, "show sub 0\n"), "error "));
        CHECK(Bench::has(request(trial, "hello\n"), "malformed"));
        CHECK(Bench::has(request(trial, "call add 99999999999999999999\n"), "malformed"));
        CHECK(Bench::has(request(trial, "call add 999999999\n"), "more than"));
        CHECK(Bench::has(request(trial, std::string(5000, 'x')), "malformed"));
        CHECK(trial.submitted.empty());
        CHECK_FALSE(bridge.answered());
        CHECK(Bench::has(request(trial, "answer - 2\n42"), "ok "));
        CHECK(bridge.answered());
        bridge.check();
        CHECK(trial.submitted == "42");
        CHECK(trial.sink.count(EventKind::ToolCall) == 3);
        // What ends the trial is thrown on the agent's thread.
        CHECK(Bench::has(request(trial, "call add 10\n{\"lost\":1}"), "gone"));
        CHECK_THROWS_AS(bridge.check(), SandboxLost);
    }
    // The service outlives the bridge in a sandbox that closes slowly.
    CHECK(request(trial, "list - 0\n").empty());
    std::string script = trial.sandbox().files.at("/usr/local/bin/tool").data;
    CHECK(Bench::has(script, "/dev/tcp/127.0.0.1/40000"));
    CHECK(trial.sandbox().files.at("/usr/local/bin/tool").mode == 0755);
}

TEST_CASE("terminus: a suite's tools are offered as a program, the answer is handed in") {
    Bench b;
    b.trial.suite_tools.add(std::make_unique<AddTool>());
    b.shell = [&](const std::string& keys) {
        if (keys == "tool answer 42\n") request(b.trial, "answer - 2\n42");
        return keys;
    };
    b.model().say(reply("tool answer 42\n")).say(reply("", true)).say(reply("", true));
    b.run();
    CHECK(Bench::has(b.prompt(0), "tool call NAME"));
    CHECK(Bench::has(b.prompt(0), "add: Adds numbers."));
    CHECK(b.trial.submitted == "42");
    CHECK_FALSE(Bench::has(b.prompt(2), "not handed in"));

    Bench forgetful;
    forgetful.trial.suite_tools.add(std::make_unique<AddTool>());
    forgetful.model().say(reply("", true)).say(reply("", true));
    forgetful.run();
    CHECK(Bench::has(forgetful.prompt(1), "not handed in"));
    CHECK(forgetful.trial.submitted == "a"); // the last analysis

    Bench off;
    off.trial.suite_tools.add(std::make_unique<AddTool>());
    off.model().say(reply("", true)).say(reply("", true));
    off.run({{"tool_client", "false"}});
    CHECK(off.trial.sandbox().services.empty());
}
