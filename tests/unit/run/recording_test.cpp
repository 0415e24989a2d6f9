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
