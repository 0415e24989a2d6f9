#include "assay/agents/agents.h"
#include "catch.h"
#include "fake_trial.h"

using namespace assay;
using namespace assay::test;

TEST_CASE("the oracle runs the suite's solution in the trial") {
    FakeTrial trial;
    Task task;
    trial.fake_suite.on_solve = [](const Task&, TrialContext& context) {
        context.environment().main().put_file("/app/out", "42", 0644, context.cancel());
    };
    make_agent("oracle")->run(task, trial);
    REQUIRE(trial.sandbox().files.at("/app/out").data == "42");
}

TEST_CASE("an oracle without a solution says so") {
    FakeTrial trial;
    Task task;
    task.header.id = "hello";
    REQUIRE_THROWS_WITH(make_agent("oracle")->run(task, trial), Catch::Contains("hello"));
}

TEST_CASE("noop touches nothing") {
    FakeTrial trial;
    make_agent("noop")->run(Task(), trial);
    REQUIRE(trial.sandbox().commands.empty());
    REQUIRE(trial.sink.all().empty());
    REQUIRE(trial.submission().empty());
}

TEST_CASE("unknown agents and settings are named, with what there is") {
    try {
        make_agent("nobody");
        FAIL("no error");
    } catch (const Error& e) {
        REQUIRE(e.kind() == ErrorKind::Usage);
        REQUIRE(e.hint().find("oracle") != std::string::npos);
    }
    REQUIRE_THROWS_WITH(make_agent("noop", {{"colour", "red"}}), Catch::Contains("colour"));
}

TEST_CASE("every agent of the registry can be made and describes itself") {
    for (const AgentKind& kind : agent_kinds()) {
        const bool needs_command = kind.info.name == "command";
        auto agent =
            make_agent(kind.info.name, needs_command ? Settings{{"command", "true"}} : Settings{});
        REQUIRE(agent->info().name == kind.info.name);
        REQUIRE_FALSE(kind.info.description.empty());
    }
}
