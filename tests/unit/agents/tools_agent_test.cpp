#include "assay/agents/agents.h"
#include "catch.h"
#include "fake_trial.h"

using namespace assay;
using namespace assay::test;

namespace {

// cat and the write command of the file tool, over the fake sandbox's files; the rest by `shell`.
struct Machine {
    explicit Machine(FakeTrial& trial)
        : sandbox(trial.sandbox()) {
        sandbox.on_exec = [this](const std::vector<std::string>& argv, const ExecOptions& options) {
            if (argv[0] == "cat") {
                auto found = sandbox.files.find(argv[2]);
                if (found == sandbox.files.end())
                    return exec_result(1, "", "cat: " + argv[2] + ": No such file or directory\n");
                return exec_result(0, found->second.data);
            }
            if (argv[0] == "sh" && argv.size() == 5) {
                sandbox.files[argv[4]] = {options.input, 0644};
                return exec_result(0);
            }
            last_options = options;
            return shell ? shell(argv.back()) : exec_result(0);
        };
    }
    FakeSandbox& sandbox;
    std::function<ExecResult(const std::string&)> shell;
    ExecOptions last_options;
};

struct EchoTool final : Tool {
    explicit EchoTool(std::string name) {
        about.name = std::move(name);
        about.schema = R"({"type":"object"})";
    }
    const ToolSpec& spec() const override { return about; }
    ToolOutcome call(std::string_view arguments, const Cancel&) override {
        ++calls;
        if (answer) return *answer;
        return text_outcome("echo " + std::string(arguments));
    }
    ToolSpec about;
    std::optional<ToolOutcome> answer;
    int calls = 0;
};

Task instruction(std::string text) {
    Task task;
    task.instruction = std::move(text);
    return task;
}

// Text of the tool result that the model saw as the last message of request `n`.
std::string seen(FakeModel& model, std::size_t n) {
    const Message& message = *model.requests.at(n).messages.back();
    if (message.role != Role::Tool) return message.text();
    return plain_text(std::get<ToolResult>(message.parts.at(0)).parts);
}

void run(FakeTrial& trial, const Task& task, const Settings& settings = {}) {
    make_agent("tools", settings)->run(task, trial);
}

} // namespace

TEST_CASE("tools: a command fails, a call is malformed, the model recovers and solves") {
    FakeTrial trial;
    Machine machine(trial);
    machine.shell = [](const std::string& command) {
        if (command == "make") return exec_result(2, "no rule\n");
        return exec_result(0, "ok\n");
    };
    FakeModel& model = trial.fake_model();
    model.call("shell", R"({"command":"make"})", "a")
        .call("shell", R"({"command": "ls)", "b")
        .call("shel", R"({"command":"ls"})", "c")
        .call("file", R"({"action":"create","path":"/app/Makefile","text":"all:\n"})", "d")
        .call("shell", R"({"command":"ls","timeout":"5"})", "e")
        .call("submit", R"({"answer":"built"})", "f");
    run(trial, instruction("build it"));

    CHECK(model.requests.at(0).messages.at(1)->text() == "build it");
    CHECK(seen(model, 1) == "no rule\n[exit code 2]");
    CHECK(seen(model, 2).find("not valid JSON") != std::string::npos);
    CHECK(seen(model, 3).find("no tool named 'shel'") != std::string::npos);
    CHECK(seen(model, 4) == "wrote 5 bytes to /app/Makefile");
    CHECK(seen(model, 5) == "ok\n[exit code 0]");
    CHECK(machine.last_options.timeout == std::chrono::seconds(5));
    CHECK(machine.last_options.merge_stderr);
    CHECK(trial.submitted == "built");
    CHECK(trial.sandbox().files.at("/app/Makefile").data == "all:\n");
    CHECK(trial.sink.count(EventKind::ToolCall) == 6);
    CHECK(trial.sink.count(EventKind::ToolResult) == 6);
}

TEST_CASE("tools: every request continues the last one and shares its messages") {
    FakeTrial trial;
    Machine machine(trial);
    FakeModel& model = trial.fake_model();
    model.call("shell", R"({"command":"a"})").call("shell", R"({"command":"b"})").say("the end");
    run(trial, instruction("go"));
    REQUIRE(model.requests.size() == 3);
    CHECK_FALSE(model.requests[0].parent);
    CHECK(model.requests[1].parent == Id::derive("fake/1"));
    CHECK(model.requests[2].parent == Id::derive("fake/2"));
    CHECK(model.requests[2].messages[0] == model.requests[0].messages[0]);
    CHECK(model.requests[1].seed.turn == 1);
    CHECK(trial.submitted == "the end");
}

TEST_CASE("tools: several calls in one message run in order") {
    FakeTrial trial;
    Machine machine(trial);
    FakeModel& model = trial.fake_model();
    model
        .then([](const CompletionRequest&) {
            Completion c;
            c.message = {Role::Assistant,
                         {ToolCall{"1", "shell", R"({"command":"one"})"},
                          ToolCall{"2", "shell", R"({"command":"two"})"},
                          ToolCall{"3", "submit", R"({"answer":"x"})"},
                          ToolCall{"4", "shell", R"({"command":"never"})"}}};
            return c;
        })
        .say("unused");
    run(trial, instruction("go"));
    REQUIRE(trial.sandbox().commands.size() == 2);
    CHECK(trial.sandbox().commands[0].back() == "one");
    CHECK(trial.sandbox().commands[1].back() == "two");
    CHECK(trial.submitted == "x");
    CHECK(model.requests.size() == 1);
}

TEST_CASE("tools: a task without sandbox tools has only the suite's, and no system prompt") {
    FakeTrial trial;
    trial.suite_tools.add(std::make_unique<EchoTool>("memory_read"));
    FakeModel& model = trial.fake_model();
    model.call("shell", R"({"command":"ls"})").call("memory_read", R"({"q":1})").say("answer");
    Task task = instruction("question");
    task.sandbox_tools = false;
    run(trial, task);
    REQUIRE(model.requests[0].tools.size() == 1);
    CHECK(model.requests[0].messages.size() == 1);
    CHECK(seen(model, 1).find("no tool named") != std::string::npos);
    CHECK(seen(model, 2) == R"(echo {"q":1})");
    CHECK(trial.sandbox().commands.empty());
    // The user's setting is stronger than the task.
    FakeTrial other;
    other.fake_model().say("x");
    run(other, task, {{"builtin", "all"}});
    CHECK(other.fake_model().requests[0].tools.size() == 3);
}

TEST_CASE("tools: a suite's tool hides a built-in one of the same name") {
    FakeTrial trial;
    trial.suite_tools.add(std::make_unique<EchoTool>("shell"));
    FakeModel& model = trial.fake_model();
    model.call("shell", "{}").say("x");
    run(trial, instruction("go"));
    CHECK(model.requests[0].tools.size() == 3);
    CHECK(seen(model, 1) == "echo {}");
}

TEST_CASE("tools: at the limit of calls the rest of the turn is dropped") {
    auto three_calls = [](const CompletionRequest&) {
        Completion c;
        c.message = {Role::Assistant,
                     {TextPart{"looking"}, ToolCall{"1", "t", "{}"}, ToolCall{"2", "t", "{}"},
                      ToolCall{"3", "t", "{}"}}};
        return c;
    };
    Task task = instruction("question");
    task.sandbox_tools = false;
    task.agent_defaults = {{"max_tool_calls", "2"}, {"at_max_tool_calls", "stop"}};
    SECTION("stop: as MCP Atlas does") {
        FakeTrial trial;
        auto tool = std::make_unique<EchoTool>("t");
        EchoTool& echo = *tool;
        trial.suite_tools.add(std::move(tool));
        trial.fake_model().then(three_calls).say("never asked");
        run(trial, task);
        CHECK(echo.calls == 2);
        CHECK(trial.fake_model().requests.size() == 1);
        CHECK(trial.submitted == "looking");
        CHECK(trial.sink.has(EventKind::Limit, "tool_calls"));
    }
    SECTION("answer: one more turn, without tools") {
        FakeTrial trial;
        trial.suite_tools.add(std::make_unique<EchoTool>("t"));
        trial.fake_model().then(three_calls).say("so it is 4");
        run(trial, task, {{"at_max_tool_calls", "answer"}});
        CHECK(trial.fake_model().requests.at(1).tools.empty());
        CHECK(seen(trial.fake_model(), 1).find("Answer now") != std::string::npos);
        CHECK(trial.submitted == "so it is 4");
    }
    SECTION("answer: a model that calls on is stopped") {
        FakeTrial trial;
        trial.suite_tools.add(std::make_unique<EchoTool>("t"));
        trial.fake_model().otherwise = three_calls;
        run(trial, task, {{"at_max_tool_calls", "answer"}});
        CHECK(trial.fake_model().requests.size() == 2);
        CHECK(trial.sink.has(EventKind::Limit, "tool_calls"));
    }
}

TEST_CASE("tools: a limit keeps the last text if the suite wants it") {
    FakeTrial trial;
    trial.suite_tools.add(std::make_unique<EchoTool>("t"));
    trial.fake_model()
        .then([](const CompletionRequest&) {
            Completion c;
            c.message = {Role::Assistant, {TextPart{"perhaps 7"}, ToolCall{"1", "t", "{}"}}};
            return c;
        })
        .then([&](const CompletionRequest&) -> Completion {
            trial.stop.cancel(Cause::TurnLimit, "1 turn");
            trial.stop.check();
            return {};
        });
    REQUIRE_THROWS_AS(run(trial, instruction("q"), {{"answer", "last_text"}}), Interrupted);
    CHECK(trial.submitted == "perhaps 7");
}

TEST_CASE("tools: a full context ends the loop, or is made to fit once") {
    Task task = instruction("q");
    task.sandbox_tools = false;
    for (bool compact : {false, true}) {
        FakeTrial trial;
        auto tool = std::make_unique<EchoTool>("t");
        tool->answer = text_outcome(std::string(9000, 'x'));
        trial.suite_tools.add(std::move(tool));
        trial.fake_model()
            .call("t", "{}", "1")
            .call("t", "{}", "2")
            .call("t", "{}", "3")
            .fail(ModelFault::ContextOverflow)
            .say("fits now");
        run(trial, task, {{"context", compact ? "compact" : "stop"}});
        CHECK(trial.submitted == (compact ? "fits now" : ""));
        CHECK(trial.sink.has(EventKind::Limit, "context") == !compact);
        if (!compact) continue;
        const CompletionRequest& last = trial.fake_model().requests.back();
        CHECK_FALSE(last.parent);
        auto size = [&](std::size_t i) {
            return plain_text(std::get<ToolResult>(last.messages[i]->parts[0]).parts).size();
        };
        CHECK(size(2) < 1700);
        CHECK(size(4) == 9000);
        CHECK(size(6) == 9000);
    }
}

TEST_CASE("tools: an answer cut at its length is gone on with, but not for ever") {
    FakeTrial trial;
    trial.fake_model().say("half a", Finish::Length).say("the whole");
    run(trial, instruction("q"));
    CHECK(seen(trial.fake_model(), 1).find("cut off") != std::string::npos);
    CHECK(trial.submitted == "the whole");

    FakeTrial endless;
    for (int i = 0; i < 9; ++i) endless.fake_model().say("half", Finish::Length);
    run(endless, instruction("q"));
    CHECK(endless.fake_model().requests.size() == 4);
}

TEST_CASE("tools: images reach only a model that sees them; long results are cut") {
    for (bool images : {true, false}) {
        FakeTrial trial;
        auto tool = std::make_unique<EchoTool>("t");
        tool->answer = ToolOutcome{
            {ImagePart{trial.memory.put("png", "image/png")}, TextPart{std::string(5000, 'y')}},
            false,
            std::nullopt};
        trial.suite_tools.add(std::move(tool));
        trial.fake_model().can.images = images;
        trial.fake_model().call("t", "{}").say("x");
        run(trial, instruction("q"), {{"tool_output_limit", "1000"}});
        const auto& result =
            std::get<ToolResult>(trial.fake_model().requests.at(1).messages.back()->parts.at(0));
        CHECK(std::holds_alternative<ImagePart>(result.parts[0]) == images);
        CHECK(std::get<TextPart>(result.parts[1]).text.size() < 1100);
    }
}

TEST_CASE("tools: the file tool's errors say what to do") {
    FakeTrial trial;
    Machine machine(trial);
    trial.sandbox().files["/a"] = {"one\ntwo\none\n", 0644};
    trial.sandbox().files["/bin"] = {std::string("\0x", 2), 0644};
    const std::vector<std::pair<std::string, std::string>> cases = {
        {R"({"action":"view","path":"/a"})", "     1\tone\n     2\ttwo\n     3\tone\n"},
        {R"({"action":"view","path":"/a","first":2,"last":2})",
         "     2\ttwo\n[the file has 3 lines]"},
        {R"({"action":"view","path":"/a","first":9})", "Error: there is no line 9: /a has 3 lines"},
        {R"({"action":"view","path":"a"})", "Error: \"path\" must be an absolute path, it is 'a'"},
        {R"({"action":"view","path":"/none"})",
         "Error: cannot read /none: cat: /none: No such file or directory"},
        {R"({"action":"view","path":"/bin"})",
         "Error: /bin is not a text file: it holds NUL bytes"},
        {R"({"action":"replace","path":"/a","old":"one","new":"1"})",
         "Error: \"old\" occurs 2 times in /a: give more of the text around it"},
        {R"({"action":"replace","path":"/a","old":"three","new":"3"})",
         "Error: \"old\" does not occur in /a: it must match exactly, blanks included"},
        {R"({"action":"replace","path":"/a","old":"two","new":"2"})", "replaced once in /a"},
        {R"({"action":"insert","path":"/a","line":0,"text":"zero"})",
         "inserted after line 0 of /a"},
        {R"({"action":"insert","path":"/a","line":99,"text":"x"})",
         "Error: there is no line 99: /a has 4 lines"},
        {R"({"action":"insert","path":"/a","line":1.5,"text":"x"})",
         "Error: \"line\" must be a whole number"},
        {R"({"action":"eat","path":"/a"})",
         "Error: unknown action 'eat': use view, create, replace or insert"},
        {R"({"path":"/a"})", "Error: \"action\" is missing"},
        {R"({"action":5,"path":"/a"})", "Error: \"action\" must be a string, not number"},
    };
    FakeModel& model = trial.fake_model();
    for (const auto& [arguments, expected] : cases) model.call("file", arguments);
    model.say("done");
    run(trial, instruction("q"));
    for (std::size_t i = 0; i < cases.size(); ++i) {
        INFO(cases[i].first);
        CHECK(seen(model, i + 1) == cases[i].second);
    }
    CHECK(trial.sandbox().files["/a"].data == "zero\none\n2\none\n");
}

TEST_CASE("tools: a lost sandbox is no tool error") {
    FakeTrial trial;
    trial.sandbox().live = false;
    trial.fake_model().call("shell", R"({"command":"ls"})").say("x");
    REQUIRE_THROWS_AS(run(trial, instruction("q")), SandboxLost);
}

TEST_CASE("tools: sampling settings reach the request, bad ones are refused at once") {
    FakeTrial trial;
    trial.fake_model().say("x");
    run(trial, instruction("q"), {{"temperature", "0.5"}, {"max_tokens", "100"}});
    CHECK(trial.fake_model().requests[0].sampling.temperature == 0.5);
    CHECK(trial.fake_model().requests[0].sampling.max_tokens == 100);
    REQUIRE_THROWS_WITH(make_agent("tools", {{"builtin", "some"}}), Catch::Contains("builtin"));
    REQUIRE_THROWS_WITH(make_agent("tools", {{"max_tool_calls", "-1"}}), Catch::Contains("-1"));
}
