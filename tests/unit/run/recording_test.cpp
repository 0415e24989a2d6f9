// What the recording model stores, and the budgets it counts.
#include "catch.h"
#include "run_fixture.h"

using namespace assay;
using namespace assay::test;

namespace {

std::shared_ptr<FakeModel> echo_model() {
    auto model = std::make_shared<FakeModel>();
    model->otherwise = [](const CompletionRequest& request) {
        Completion c;
        c.message = {Role::Assistant, {TextPart{"answer " + std::to_string(request.seed.turn)}}};
        c.finish = Finish::Stop;
        c.usage.prompt_tokens = 10;
        c.usage.completion_tokens = 5;
        c.usage.cost = 0.01;
        return c;
    };
    return model;
}

// Talks `turns` times in one conversation, echoing each answer.
Step talker(int turns, bool name_parent = true) {
    return [=](const Task&, TrialContext& context) {
        CompletionRequest request;
        request.messages = {system_message("be brief"), user_message("hello")};
        for (int i = 0; i < turns; ++i) {
            Completion c = context.model("agent").complete(request, {}, context.cancel());
            request.messages.push_back(std::make_shared<const Message>(c.message));
            request.messages.push_back(user_message("go on " + std::to_string(i)));
            if (name_parent) request.parent = c.id;
        }
    };
}

} // namespace

TEST_CASE("a call stores only what is new since its parent") {
    for (bool name_parent : {true, false}) {
        RunFixture f;
        f.models["agent"] = echo_model();
        f.agent = talker(3, name_parent);
        f.go();
        FakeTry row = f.only_try();
        REQUIRE(row.calls.size() == 3);
        CHECK(row.calls[0].added.size() == 2);
        CHECK_FALSE(row.calls[0].parent);
        for (std::size_t i = 1; i < 3; ++i) {
            REQUIRE(row.calls[i].added.size() == 1); // the user's line; the answer is the parent's
            CHECK(row.calls[i].parent == row.calls[i - 1].id);
            Message added = message_from_json(f.store->memory.get(row.calls[i].added[0]));
            CHECK(added.text() == "go on " + std::to_string(i - 1));
        }
        CHECK(row.calls[2].turn == 2);
        CHECK(f.store->memory.get(row.calls[1].output) ==
              R"({"role":"assistant","parts":[{"text":"answer 1"}]})");
    }
}

TEST_CASE("a model that knows its chat template has its hash stored") {
    for (std::optional<Digest> known :
         {std::optional(sha256("template")), std::optional<Digest>()}) {
        RunFixture f;
        auto model = echo_model();
        model->otherwise = [inner = model->otherwise, known](const CompletionRequest& request) {
            Completion c = inner(request);
            c.template_hash = known;
            return c;
        };
        f.models["agent"] = model;
        f.agent = talker(1);
        f.go();
        CHECK(f.only_try().calls.at(0).template_hash == known);
    }
}

TEST_CASE("a rewritten answer and a fresh conversation are told apart") {
    RunFixture f;
    f.models["agent"] = echo_model();
    f.agent = [](const Task&, TrialContext& context) {
        CompletionRequest main, summary;
        main.messages = {user_message("one")};
        Model& model = context.model("agent");
        model.complete(main, {}, context.cancel());
        summary.messages = {user_message("summarise")};
        model.complete(summary, {}, context.cancel());
        main.messages.push_back(assistant_message("rewritten"));
        main.messages.push_back(user_message("two"));
        model.complete(main, {}, context.cancel());
    };
    f.go();
    FakeTry row = f.only_try();
    REQUIRE(row.calls.size() == 3);
    CHECK_FALSE(row.calls[1].parent);
    CHECK(row.calls[2].parent == row.calls[0].id);
    REQUIRE(row.calls[2].added.size() == 2);
    CHECK(message_from_json(f.store->memory.get(row.calls[2].added[0])).role == Role::Assistant);
}

namespace {

// The prompt of a call as a reader puts it together from the rows.
std::vector<std::string> stored_prompt(FakeStore& store, const FakeTry& row, const Id& id) {
    for (const CallRecord& call : row.calls) {
        if (call.id != id) continue;
        std::vector<std::string> prompt;
        if (call.parent) {
            prompt = stored_prompt(store, row, *call.parent);
            for (const CallRecord& parent : row.calls)
                if (parent.id == *call.parent) prompt.push_back(store.memory.get(parent.output));
        }
        for (std::size_t i = 0; i < call.added.size(); ++i) {
            std::string added = store.memory.get(call.added[i]);
            if (i == 0 && call.parent && message_from_json(added).role == Role::Assistant)
                prompt.pop_back(); // rewritten
            prompt.push_back(std::move(added));
        }
        return prompt;
    }
    FAIL("no such call");
    return {};
}

} // namespace

TEST_CASE("what is stored is what was sent, however the agent goes back and forth") {
    RunFixture f;
    auto model = echo_model();
    f.models["agent"] = model;
    f.agent = [](const Task&, TrialContext& context) {
        Model& agent = context.model("agent");
        CompletionRequest request;
        auto ask = [&] {
            Completion c = agent.complete(request, {}, context.cancel());
            return std::make_shared<const Message>(c.message);
        };
        auto say = [&](const char* text) { request.messages.push_back(user_message(text)); };
        say("one");
        ask();                    // 0
        MessageRef first = ask(); // 1: the same again, without the answer
        request.messages.push_back(first);
        say("two");
        MessageRef second = ask(); // 2
        MessageRef other = ask();  // 3: as 2, of which it must not be the child
        auto fork = request.messages;
        request.messages.push_back(other); // the answer of 3, not of 2
        say("three");
        ask(); // 4
        request.messages = fork;
        request.messages.push_back(second); // goes on after 2
        say("summarise");
        ask(); // 5
        request.messages = {fork[0]};
        say("no answer between"); // continues no call
        ask();                    // 6
        request.messages = fork;
        request.messages.push_back(assistant_message("rewritten"));
        say("four");
        ask(); // 7
    };
    f.go();
    FakeTry row = f.only_try();
    REQUIRE(row.calls.size() == 8);
    for (std::size_t i = 0; i < 8; ++i) {
        std::vector<std::string> sent;
        for (const MessageRef& message : model->requests.at(i).messages)
            sent.push_back(to_json(*message));
        INFO("call " << i);
        CHECK(stored_prompt(*f.store, row, row.calls[i].id) == sent);
        CHECK(model->requests[i].parent == row.calls[i].parent);
    }
    const auto& calls = row.calls;
    CHECK_FALSE(calls[1].parent);
    CHECK(calls[2].parent == calls[1].id);
    CHECK(calls[3].parent == calls[1].id);
    CHECK(calls[3].added.size() == 1);
    CHECK(calls[4].parent == calls[3].id);
    CHECK(calls[4].added.size() == 1);
    CHECK(calls[5].parent == calls[2].id);
    CHECK(calls[5].added.size() == 1);
    CHECK_FALSE(calls[6].parent);
    CHECK(calls[7].added.size() == 2);
}

TEST_CASE("a call that fails for good is a row with its error, and nobody's parent") {
    RunFixture f;
    auto model = std::make_shared<FakeModel>();
    model->say("first")
        .then([](const CompletionRequest&) -> Completion {
            ModelError error(ModelFault::ContextOverflow, "too long");
            error.set_tries(3, 0.5);
            throw error;
        })
        .say("second");
    f.models["agent"] = model;
    f.agent = [](const Task&, TrialContext& context) {
        CompletionRequest request;
        request.tools = {{"shell", "runs a command", R"({"type":"object"})"}};
        request.messages = {user_message("x")};
        Completion c = context.model("agent").complete(request, {}, context.cancel());
        request.messages.push_back(std::make_shared<const Message>(c.message));
        request.messages.push_back(user_message("much"));
        request.tools.clear();
        CHECK_THROWS_AS(context.model("agent").complete(request, {}, context.cancel()), ModelError);
        request.messages.back() = user_message("little");
        context.model("agent").complete(request, {}, context.cancel());
    };
    f.go();
    FakeTry row = f.only_try();
    REQUIRE(row.calls.size() == 3);
    const CallRecord& failed = row.calls[1];
    CHECK(failed.finish == "error:context-overflow");
    REQUIRE(failed.error);
    CHECK(f.store->memory.get(*failed.error) == "too long");
    CHECK(failed.turn == 1);
    CHECK(failed.parent == row.calls[0].id);
    CHECK(failed.added.size() == 1);
    CHECK(failed.tools.has_value());
    CHECK(failed.tries == 3);
    CHECK(failed.queue_seconds == 0.5);
    CHECK(failed.model == "fake");
    CHECK(row.end.queue_seconds >= 0.5);
    CHECK_FALSE(row.calls[2].error);
    CHECK(row.calls[2].parent == row.calls[0].id);
    CHECK(row.calls[2].added.size() == 1);
    CHECK(row.end.turns == 2);
}

TEST_CASE("ids and seeds are the same in every run of the plan") {
    std::vector<Id> ids;
    for (int i = 0; i < 2; ++i) {
        RunFixture f;
        auto model = echo_model();
        f.models["agent"] = model;
        f.settings.seed = 7;
        f.agent = talker(2);
        f.go();
        for (const CallRecord& call : f.only_try().calls) ids.push_back(call.id);
        CHECK(model->requests.at(1).seed.text() == "7/t0/1/agent/1");
    }
    CHECK(ids[0] == ids[2]);
    CHECK(ids[1] == ids[3]);
    CHECK(ids[0] != ids[1]);
}

TEST_CASE("tool specs are stored once") {
    RunFixture f;
    f.models["agent"] = echo_model();
    f.agent = [](const Task&, TrialContext& context) {
        CompletionRequest request;
        request.messages = {user_message("x")};
        request.tools = {{"shell", "runs a command", R"({"type":"object"})"}};
        for (int i = 0; i < 2; ++i) context.model("agent").complete(request, {}, context.cancel());
        request.tools.clear();
        context.model("agent").complete(request, {}, context.cancel());
    };
    f.go();
    FakeTry row = f.only_try();
    CHECK(row.calls[0].tools.has_value());
    CHECK_FALSE(row.calls[1].tools.has_value());
    CHECK(f.store->memory.get(*row.calls[2].tools) == "[]");
}

TEST_CASE("budgets end the agent and the attempt is scored as it stands") {
    struct Case {
        std::function<void(Budget&)> set;
        const char* detail;
        int turns;
    };
    for (const Case& one : {Case{[](Budget& b) { b.turns = 3; }, "turns: 3 turns", 3},
                            Case{[](Budget& b) { b.tokens = 31; }, "tokens: 45 of 31 tokens", 3},
                            Case{[](Budget& b) { b.cost = 0.02; }, "cost: ", 2}}) {
        INFO(one.detail);
        RunFixture f;
        f.models["agent"] = echo_model();
        f.agent = talker(10);
        one.set(f.settings.budget);
        f.go();
        FakeTry row = f.only_try();
        CHECK(row.end.attempt_class == AttemptClass::Limit);
        CHECK(row.end.agent_detail.starts_with(one.detail));
        CHECK(row.end.turns == one.turns);
        CHECK(row.end.score == 1.0);
        CHECK(row.end.usage.prompt_tokens == 10u * static_cast<unsigned>(one.turns));
    }
}

TEST_CASE("the task's budget holds where the user names none; the judge is free of it") {
    Task task = plain_task("t");
    task.budget.turns = 2;
    task.budget.tokens = 30;
    RunFixture f({task});
    f.models["agent"] = echo_model();
    f.models["judge"] = echo_model();
    f.agent = talker(10);
    f.suite.on_score = [](const Task&, TrialContext& context) {
        CompletionRequest request;
        request.messages = {user_message("right?")};
        context.model("judge").complete(request, {}, context.cancel());
    };
    f.go();
    FakeTry row = f.only_try();
    CHECK(row.end.attempt_class == AttemptClass::Limit);
    CHECK(row.end.turns == 2);                // the judge's is not the agent's turn
    CHECK(row.end.usage.prompt_tokens == 30); // but it is paid for
    CHECK(row.calls.back().role == "judge");
}

TEST_CASE("--max-cost stops the run; what it breaks off is not accepted") {
    RunFixture f(plain_tasks(5));
    f.models["agent"] = echo_model();
    f.agent = talker(4);
    f.settings.jobs = 1;
    f.settings.max_cost = 0.095;
    f.settings.cost_so_far = 0.01;
    RunResult result = f.go();
    CHECK(result.cost_limit);
    CHECK_FALSE(result.stopped);
    CHECK(result.scored == 2);
    CHECK(result.cancelled == 1);
    CHECK(result.untouched == 2);
    CHECK(result.cost == Approx(0.10));
    CHECK(f.store->open_slots().size() == 3);
}

TEST_CASE("a role without a model says what to do") {
    RunFixture f;
    f.agent = [](const Task&, TrialContext& context) {
        CHECK_FALSE(context.has_model("judge"));
        context.model("judge");
    };
    f.settings.retries = 0;
    f.go();
    FakeTry row = f.only_try();
    CHECK(row.end.attempt_class == AttemptClass::InfrastructureError);
    CHECK_THAT(row.end.error->trace, Catch::Contains("--judge"));
}

TEST_CASE(
    "a call that a limit breaks off is stored with its prompt and the cause, and is no turn") {
    RunFixture f;
    auto model = std::make_shared<FakeModel>();
    f.models["agent"] = model;
    model->otherwise = [](const CompletionRequest&) -> Completion {
        throw Interrupted({Cause::Deadline, "agent phase: 5 s"});
    };
    f.agent = talker(1);
    f.go();
    FakeTry row = f.only_try();
    CHECK(row.end.attempt_class == AttemptClass::Limit);
    CHECK(row.end.turns == 0);
    REQUIRE(row.calls.size() == 1);
    CHECK(row.calls[0].finish == "interrupted:deadline");
    CHECK(row.calls[0].added.size() == 2);
    REQUIRE(row.calls[0].error);
    CHECK(f.store->memory.get(*row.calls[0].error) == "agent phase: 5 s");
}
