#include "assay/models/models.h"
#include "catch.h"

using namespace assay;

namespace {

struct ScriptFile {
    explicit ScriptFile(std::string_view text) {
        RealFileSystem().write(folder.path() / "s.json", text, 0644);
        model = make_model("script:" + (folder.path() / "s.json").string(), {});
    }
    Completion ask(std::string last, int turn = 0, std::string task = "t",
                   std::string role = "agent") {
        CompletionRequest request;
        request.messages = {user_message("the first"), user_message(std::move(last))};
        request.tools = {{"shell", "", "{}"}};
        request.seed.task = std::move(task);
        request.seed.role = std::move(role);
        request.seed.turn = turn;
        return model->complete(request, {}, Cancel());
    }
    std::string say(std::string last, int turn = 0, std::string task = "t",
                    std::string role = "agent") {
        return ask(std::move(last), turn, std::move(task), std::move(role)).message.text();
    }

    TempFolder folder;
    std::unique_ptr<Model> model;
};

std::string refusal(std::string_view text) {
    try {
        ScriptFile script(text);
    } catch (const Error& e) {
        REQUIRE(e.kind() == ErrorKind::Input);
        return e.message();
    }
    return "no error";
}

} // namespace

TEST_CASE("script: the first rule that matches wins") {
    ScriptFile s(R"~({"rules":[
        {"task":"other*","say":"A"},
        {"role":"judge","say":"B"},
        {"last_has":"exit code 1","say":"C"},
        {"last":"the (\\w+) is (\\d+)","say":"{{task}}:{{1}}={{2}} at {{turn}}"},
        {"turn":[3,4],"say":"E"},
        {"conversation_has":["the first","never"],"say":"F"},
        {"conversation":"the fir.t.*tail","say":"G"},
        {"tool":"sh*","attempt":1,"turn":9,"say":"H"}],
        "default":{"say":"Z"}
})~");
    CHECK(s.say("x", 0, "otherwise") == "A");
    CHECK(s.say("x", 0, "t", "judge") == "B");
    CHECK(s.say("... exit code 1 ...") == "C");
    CHECK(s.say("so the answer is 42.", 2) == "t:answer=42 at 2");
    CHECK(s.say("x", 3) == "E");
    CHECK(s.say("x", 4) == "E");
    CHECK(s.say("x", 5) == "Z");
    CHECK(s.say("the\ntail", 6) == "G");
    CHECK(s.say("x", 9) == "H");
}

TEST_CASE("script: once and sequences are counted per task, attempt and role") {
    ScriptFile s(R"~({"rules":[
        {"once":true,"say":"first"},
        {"sequence":[{"say":"a"},{"say":"b"}]}],"default":{"say":"end"}})~");
    for (const char* task : {"one", "two"}) {
        int turn = 0;
        for (const char* expected : {"first", "a", "b", "end", "end"})
            CHECK(s.say("x", turn++, task) == expected);
    }
    // Turn 0 after turn 4: the attempt is tried again from its start.
    CHECK(s.say("x", 0, "one") == "first");
}

TEST_CASE("script: faults, then the next rule; a retry of the same turn goes on") {
    ScriptFile s(R"~({"rules":[
        {"once":true,"fault":"overload","retry_after":2.5,"message":"slow down"},
        {"once":true,"fault":"context-overflow"}],"default":{"say":"ok"}})~");
    try {
        s.ask("x");
        FAIL("no fault");
    } catch (const ModelError& e) {
        CHECK(e.fault() == ModelFault::Overload);
        CHECK(e.retry_after_seconds() == 2.5);
        CHECK(e.message() == "slow down");
    }
    try {
        s.ask("x");
        FAIL("no fault");
    } catch (const ModelError& e) {
        CHECK(e.fault() == ModelFault::ContextOverflow);
    }
    CHECK(s.say("x") == "ok");
}

TEST_CASE("script: calls, ids, malformed arguments, finish and usage") {
    ScriptFile s(R"~({"rules":[{"reasoning":"hm","say":["two","lines"],
        "calls":[{"name":"shell","arguments":{"command":"ls"}},
                 {"name":"file","arguments":"{broken","id":"mine"}],
        "usage":{"prompt":100,"cached":60,"completion":7,"reasoning":3,"cost":0.5}}]})~");
    Completion c = s.ask("x", 4);
    auto calls = c.message.tool_calls();
    REQUIRE(calls.size() == 2);
    CHECK(calls[0]->arguments == R"~({"command":"ls"})~");
    CHECK(calls[0]->id == "call_4_1");
    CHECK(calls[1]->arguments == "{broken");
    CHECK(calls[1]->id == "mine");
    CHECK(c.message.text() == "two\nlines");
    CHECK(std::get<ReasoningPart>(c.message.parts[0]).text == "hm");
    CHECK(c.finish == Finish::ToolCalls);
    CHECK(c.usage.prompt_tokens == 100);
    CHECK(c.usage.cached_tokens == 60);
    CHECK(c.usage.cost == 0.5);
}

TEST_CASE("script: as a judge, over the claim in the prompt") {
    ScriptFile s(R"~({"rules":[{"role":"judge",
        "conversation":"CLAIM: ([^\n]*)","say_json":{"claim":"{{1}}","outcome":"fulfilled"}}]
})~");
    CHECK(s.say("CLAIM: water is wet\nRESPONSE: yes", 0, "t", "judge") ==
          R"~({"claim":"water is wet","outcome":"fulfilled"})~");
}

TEST_CASE("script: no rule names task, turn and the last message") {
    ScriptFile s(R"~({"rules":[{"role":"judge","say":"x"}]})~");
    try {
        s.ask("please do it", 3, "hello-world");
        FAIL("no error");
    } catch (const ModelError& e) {
        CHECK(e.fault() == ModelFault::Fatal);
        CHECK(e.message().find("'hello-world'") != std::string::npos);
        CHECK(e.message().find("turn 3") != std::string::npos);
        CHECK(e.message().find("please do it") != std::string::npos);
    }
}

TEST_CASE("script: JSON Lines is one rule a line") {
    ScriptFile s("{\"last_has\":\"a\",\"say\":\"1\"}\n\n{\"say\":\"2\"}\n");
    CHECK(s.say("a") == "1");
    CHECK(s.say("b") == "2");
    ScriptFile one("{\"say\":\"only\"}\n");
    CHECK(one.say("b") == "only");
    ScriptFile whole(R"({"default":{"say":"2"}})"); // an object on one line is no rule
    CHECK(whole.say("b") == "2");
}

TEST_CASE("script: what is wrong is named with its place") {
    CHECK(refusal(R"~({"rules":[{"say":"x"},{"sya":"x"}]})~").find("rule 2") != std::string::npos);
    CHECK(refusal(R"~({"rules":[{"say":"x","lsat":"y"}]})~").find("\"lsat\"") != std::string::npos);
    CHECK(refusal(R"~({"rules":[{"last":"(","say":"x"}]})~").find("\"last\"") != std::string::npos);
    CHECK(refusal(R"~({"rules":[{"fault":"flood"}]})~").find("overload") != std::string::npos);
    CHECK(refusal(R"~({"rules":[{"say":"x","turn":-1}]})~").find("\"turn\"") != std::string::npos);
    CHECK(refusal(R"~({"rules":[{"say":"x","turn":4294967297}]})~").find("\"turn\"") !=
          std::string::npos);
    CHECK(refusal("{\"say\":\"1\"}\n{\"say\":}\n").find("line 2") != std::string::npos);
    CHECK(refusal(R"~({"rules":[{"say":"x")~").find("script s.json") != std::string::npos);
    CHECK(refusal("[1,2]") != "no error");
    CHECK(refusal(std::string(100'000, '[')).find("deeply") != std::string::npos);
    CHECK(refusal("").find("script s.json") != std::string::npos);
}

TEST_CASE("script: a long text does not overflow a stack") {
    ScriptFile s(R"~({"rules":[{"last":"(a|b)*c","say":"found"}],"default":{"say":"no"}})~");
    std::string long_text(2'000'000, 'a');
    std::string answer = s.say(long_text);
    CHECK((answer == "no" || answer == "found"));
}

TEST_CASE("a delay is cut short by the cancel, with its cause") {
    ScriptFile s(R"~({"rules":[{"say":"late","delay":600}]})~");
    CompletionRequest request;
    request.messages = {user_message("x")};
    Cancel soon = Cancel().child(Cause::Deadline, std::chrono::milliseconds(20), "20 ms");
    REQUIRE_THROWS_AS(s.model->complete(request, {}, soon), Interrupted);
}

TEST_CASE("null: N tool calls, then a text") {
    auto model = make_model("null:turns=2,text=bye", {});
    CompletionRequest request;
    for (int turn = 0; turn < 3; ++turn) {
        request.seed.turn = turn;
        Completion c = model->complete(request, {}, Cancel());
        CHECK(c.message.tool_calls().size() == (turn < 2 ? 1u : 0u));
        if (turn == 2) CHECK(c.message.text() == "bye");
    }
    CHECK(make_model("null", {})->complete({}, {}, Cancel()).message.text() == "done");
    REQUIRE_THROWS_AS(make_model("null:turns=x", {}), Error);
    REQUIRE_THROWS_WITH(make_model("gpt", {}), Catch::Contains("gpt"));
}
