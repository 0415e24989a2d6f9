// Whole trials over the server kit: oracle, a scripted agent, a scripted judge, scores.
#include "assay/agents/agents.h"
#include "assay/models/models.h"
#include "assay/suites/mcp_atlas.h"
#include "catch.h"
#include "pipe_trial.h"

using namespace assay;
using namespace assay::test;

namespace {

const Settings kBase = {{"mcp_servers", "/nowhere"}, {"kit", ASSAY_BUILD_DIR "/bin/assay-mcp-kit"}};
const std::string kYes = R"({"coverage_outcome":"fulfilled"})";
const std::string kNo = R"({"coverage_outcome":"not_fulfilled"})";

struct Fixture {
    explicit Fixture(Settings settings = {}, const std::string& id = "kit-carrier-days",
                     Path source = {}) {
        settings.insert(kBase.begin(), kBase.end());
        suite = make_mcp_atlas(settings);
        TaskFilter filter;
        filter.include = {id};
        set = suite->load(source, filter);
        REQUIRE(set->headers().size() == 1);
        task = set->open(0);
        trial = std::make_unique<PipeTrial>(*suite, task);
    }
    ScoreResult score() { return suite->score(*task, *trial); }
    std::string call(const std::string& tool, const std::string& arguments) {
        return plain_text(
            call_tool(trial->tools().find(tool), {"c", tool, arguments}, *trial).parts);
    }
    std::unique_ptr<Suite> suite;
    std::unique_ptr<TaskSet> set;
    TaskRef task;
    std::unique_ptr<PipeTrial> trial;
};

double metric(const ScoreResult& result, const std::string& name) {
    for (const Metric& one : result.others)
        if (one.name == name) return one.value;
    return -1;
}

bool deviates(const ScoreResult& result, const std::string& part) {
    for (const std::string& one : result.deviations)
        if (one.find(part) != one.npos) return true;
    return false;
}

} // namespace

TEST_CASE("oracle: replays the calls and submits the answer, the scripted judge agrees") {
    for (std::string id : {"kit-carrier-days", "kit-oslo-cost"}) {
        Fixture f({}, id);
        f.trial->models["judge"] =
            make_model("script:" ASSAY_SOURCE_DIR "/suites/mcp_atlas/samples/judge.json", {});
        make_agent("oracle", {})->run(*f.task, *f.trial);
        CHECK(f.trial->sink.count(EventKind::ToolCall) >= 3);
        CHECK_FALSE(f.trial->sink.has(EventKind::ToolResult, R"("is_error":true)"));
        ScoreResult result = f.score();
        CHECK(result.primary.value == 1);
        CHECK(metric(result, "coverage") == 1);
        CHECK(result.inputs ==
              std::map<std::string, Digest>{{"submission", sha256(f.trial->submission())}});
    }
}

TEST_CASE("the scripted agent errs, recovers and solves; half an answer is half a score") {
    Fixture solves;
    auto script = [] {
        return make_model("script:" ASSAY_SOURCE_DIR "/suites/mcp_atlas/samples/script.json", {});
    };
    auto judge = [] {
        return make_model("script:" ASSAY_SOURCE_DIR "/suites/mcp_atlas/samples/judge.json", {});
    };
    solves.trial->models["agent"] = script();
    solves.trial->models["judge"] = judge();
    make_agent("tools", {})->run(*solves.task, *solves.trial);
    CHECK(solves.trial->sink.has(EventKind::ToolResult, R"("is_error":true)"));
    ScoreResult result = solves.score();
    CHECK(result.primary.value == 1);
    CHECK(deviates(result, "strict=no"));

    Fixture half({}, "kit-oslo-cost");
    half.trial->models["agent"] = script();
    half.trial->models["judge"] = judge();
    make_agent("tools", {})->run(*half.task, *half.trial);
    ScoreResult part = half.score();
    CHECK(part.primary.value == 0);
    CHECK(metric(part, "coverage") == 0.5);
    CHECK(metric(part, "pass_50") == 1);
    CHECK(deviates(part, "1 of 6 enabled tools are absent"));
}

TEST_CASE("no answer is 0 without a judge") {
    Fixture f;
    ScoreResult result = f.score(); // no judge is configured
    CHECK(result.primary.value == 0);
    CHECK(metric(result, "coverage") == 0);
    f.trial->submit("ERROR: model gave up");
    CHECK(f.score().primary.value == 0);
}

TEST_CASE("a judge that fails is never a zero, unless strict, and then it is counted") {
    Fixture f(Settings{{"judge_tries", "1"}});
    f.trial->submit("an answer");
    f.trial->fake_model("judge").say(kYes).say("mumble");
    CHECK_THROWS_AS(f.score(), Error);

    Fixture strict(Settings{{"judge_tries", "1"}, {"strict", "yes"}});
    strict.trial->submit("an answer");
    strict.trial->fake_model("judge").say(kYes).say("mumble").say(kYes);
    ScoreResult result = strict.score();
    CHECK(metric(result, "coverage") == 0.667);
    CHECK(metric(result, "judge_failures") == 1);
    CHECK(result.explanation.find("judge_failed") != std::string::npos);
}

TEST_CASE("a wrong answer and a judge that says so") {
    Fixture f;
    f.trial->submit("Fjell, by a mile");
    f.trial->fake_model("judge").say(kNo).say(kNo).say(kNo);
    CHECK(f.score().primary.value == 0);
    f.trial->fake_model("judge").say(kYes).say(kYes).say(kNo);
    CHECK(metric(f.score(), "coverage") == 0.667); // and this is below 0.75
}

TEST_CASE("another tool budget is written on the score") {
    Fixture f;
    f.trial->submit("ERROR: none");
    CHECK_FALSE(deviates(f.score(), "tool calls instead of 100"));
    f.trial->settings["max_tool_calls"] = "20";
    CHECK(deviates(f.score(), "at most 20 tool calls instead of 100"));
}

TEST_CASE("a row without claims has no score") {
    TempFolder folder;
    RealFileSystem().write(folder.path() / "rows.csv",
                           "TASK,ENABLED_TOOLS,PROMPT,GTFA_CLAIMS\nt,kit_calculate,p,[]\n");
    Fixture f({}, "t", folder.path() / "rows.csv");
    f.trial->submit("an answer");
    CHECK_THROWS_WITH(f.score(), Catch::Contains("no claims"));
    CHECK(f.trial->tools().tools().size() == 1);
}

TEST_CASE("strict shows errors as the official harness does") {
    Fixture loose, strict(Settings{{"strict", "yes"}});
    const std::string bad = R"({"expression":"1/0"})";
    CHECK(loose.call("kit_calculate", bad) == "Error: division by zero at position 4");
    CHECK(
        strict.call("kit_calculate", bad) ==
        R"({"detail":"Error calling tool 'kit_calculate': Error: division by zero at position 4"})");
}

TEST_CASE("the official cache gives stale answers, and is off by default") {
    for (bool cached : {false, true}) {
        Fixture f(cached ? Settings{{"official_cache", "yes"}} : Settings{}, "kit-oslo-cost");
        f.call("kit_put_note", R"({"key":"k","text":"old"})");
        CHECK(f.call("kit_get_note", R"({"key":"k"})") == "old");
        f.call("kit_put_note", R"({"key":"k","text":"new"})");
        CHECK(f.call("kit_get_note", R"({"key":"k"})") == (cached ? "old" : "new"));
    }
}

TEST_CASE("oracle names tools that no server offers") {
    TempFolder folder;
    RealFileSystem().write(
        folder.path() / "rows.jsonl",
        R"({"TASK":"t","ENABLED_TOOLS":["kit_calculate"],"PROMPT":"p","GTFA_CLAIMS":["claim"],)"
        R"("TRAJECTORY":[{"role":"assistant","tool_calls":[{"function":{"name":"kit_fly",)"
        R"("arguments":"{}"}},{"function":{"name":"kit_calculate","arguments":"{}"}}]}]})");
    Fixture f({}, "t", folder.path() / "rows.jsonl");
    CHECK_THROWS_WITH(f.suite->solve(*f.task, *f.trial), Catch::Contains("kit_fly"));
    CHECK(f.trial->sink.count(EventKind::ToolCall) == 0);
}

TEST_CASE("a published row with two stand-ins: its reference run works") {
    Path rows = Path(ASSAY_SOURCE_DIR) / "suites/mcp_atlas/samples/atlas";
    Fixture f({}, "6888e207a34beb25cfedda3b", rows);
    f.suite->solve(*f.task, *f.trial);
    CHECK_FALSE(f.trial->sink.has(EventKind::ToolResult, R"("is_error":true)"));
    CHECK(f.trial->sink.count(EventKind::ToolCall) == 5);
    CHECK(f.trial->submission().find("4.25625") != std::string::npos);
    f.trial->fake_model("judge").say(kYes).say(kYes);
    ScoreResult result = f.score();
    CHECK(deviates(result, "stand-in for MCP server calculator"));
    CHECK(result.details.find("\"tools_hash\"") != std::string::npos);
}
