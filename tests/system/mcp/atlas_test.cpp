// MCP servers in real sandboxes, without the queue and the store.
#include "assay/agents/agents.h"
#include "assay/models/models.h"
#include "assay/suites/mcp_atlas.h"
#include "catch.h"
#include "fake_trial.h"
#include "skip.h"
#include "support.h"

using namespace assay;
using namespace assay::test;

namespace {

const std::string kBin = ASSAY_BUILD_DIR "/bin";
const std::string kSamples = ASSAY_SOURCE_DIR "/suites/mcp_atlas/samples";
const std::string kYes = R"({"coverage_outcome":"fulfilled"})";

class SandboxTrial final : public FakeTrial {
  public:
    SandboxTrial(Suite& suite, const Task& task)
        : FakeTrial(task.header.id)
        , suite_(suite)
        , environment_(backend().start(task.environment, stop)) {
        suite.prepare(task, *this);
        tools_ = suite.tools(task, *this);
    }
    Environment& environment() override { return *environment_; }
    Suite& suite() override { return suite_; }
    ToolSet& tools() override { return *tools_; }
    std::string call(const std::string& tool, const std::string& arguments) {
        return plain_text(call_tool(tools_->find(tool), {"c", tool, arguments}, *this).parts);
    }

  private:
    Suite& suite_;
    std::unique_ptr<Environment> environment_;
    std::unique_ptr<ToolSet> tools_; // before the environment goes
};

// One row with these tools and this server configuration.
struct OneRow {
    OneRow(const std::string& tools, const std::string& servers_json) {
        RealFileSystem().write(folder.path() / "rows.csv",
                               "TASK,ENABLED_TOOLS,PROMPT,GTFA_CLAIMS\nt,\"" + tools +
                                   "\",p,\"['the claim']\"\n");
        RealFileSystem().write(folder.path() / "servers.json", servers_json);
        suite = make_mcp_atlas({{"servers", (folder.path() / "servers.json").string()}});
        set = suite->load(folder.path() / "rows.csv", {});
        REQUIRE(set->headers().size() == 1);
        task = set->open(0);
    }
    TempFolder folder;
    std::unique_ptr<Suite> suite;
    std::unique_ptr<TaskSet> set;
    TaskRef task;
};

std::string server_json(const std::string& name, const std::string& command,
                        const std::string& arguments, const std::string& more = "") {
    return R"({"servers":{")" + name + R"(":{"command":"/opt/test/)" + command + R"(","args":)" +
           arguments + R"(,"folders":{")" + kBin + R"(":"/opt/test"})" + more + "}}}";
}

} // namespace

TEST_CASE("the samples in sandboxes: oracle passes, with the scripted judge") {
    auto suite = make_mcp_atlas({});
    auto set = suite->load({}, {});
    for (const auto& [id, why] : set->refused()) test::note_skip(id, why);
    REQUIRE(set->headers().size() >= 2);
    for (std::size_t i = 0; i < set->headers().size(); ++i) {
        TaskRef task = set->open(i);
        CAPTURE(task->header.id);
        SandboxTrial trial(*suite, *task);
        trial.models["judge"] = make_model("script:" + kSamples + "/judge.json", {});
        make_agent("oracle")->run(*task, trial);
        CHECK_FALSE(trial.sink.has(EventKind::ToolResult, R"("is_error":true)"));
        CHECK(suite->score(*task, trial).primary.value == 1);
    }
}

TEST_CASE("published rows whose servers are there: the reference calls run") {
    auto suite = make_mcp_atlas({});
    auto set = suite->load(kSamples + "/atlas", {});
    REQUIRE(set->headers().size() >= 1);
    for (std::size_t i = 0; i < set->headers().size(); ++i) {
        TaskRef task = set->open(i);
        CAPTURE(task->header.id);
        SandboxTrial trial(*suite, *task);
        make_agent("oracle")->run(*task, trial);
        CHECK(trial.sink.count(EventKind::ToolCall) >= 4);
        CHECK_FALSE(trial.sink.has(EventKind::ToolResult, R"("is_error":true)"));
        CHECK_FALSE(trial.submission().empty());
    }
}

TEST_CASE("what a server writes to /data is gone in the next attempt") {
    auto suite = make_mcp_atlas({});
    TaskFilter filter;
    filter.include = {"kit-*"};
    auto set = suite->load({}, filter);
    TaskRef task = set->open(0);
    {
        SandboxTrial trial(*suite, *task);
        CHECK(trial.call("kit_list_files", "{}").find("deliveries.csv") != std::string::npos);
        trial.environment().main().put_file("/data/mine.txt", "x", 0644, trial.stop);
        CHECK(trial.call("kit_list_files", "{}").find("mine.txt") != std::string::npos);
    }
    SandboxTrial again(*suite, *task);
    CHECK(again.call("kit_list_files", "{}").find("mine.txt") == std::string::npos);
}

TEST_CASE("a server that dies in its sandbox: told to the model, named with its last words") {
    OneRow row("nasty_die,nasty_echo",
               server_json("nasty", "assay_test_mcp_server", R"(["--noise"])"));
    SandboxTrial trial(*row.suite, *row.task);
    CHECK(trial.call("nasty_echo", R"({"text":"hi"})") == "hi");
    std::string text = trial.call("nasty_die", "{}");
    CHECK(text.find("MCP server 'nasty' ended with exit code 3") != std::string::npos);
    CHECK(text.find("out of cheese") != std::string::npos);
    trial.submit("an answer");
    trial.fake_model("judge").say(kYes);
    ScoreResult result = row.suite->score(*row.task, trial);
    CHECK(result.details.find(R"("dead_server":1)") != std::string::npos);
}

TEST_CASE("a server that does not start is the environment's fault, with the reason") {
    OneRow row("nasty_echo",
               server_json("nasty", "assay_test_mcp_server", R"(["--die-at-start"])"));
    CHECK_THROWS_WITH(SandboxTrial(*row.suite, *row.task), Catch::Contains("no such module"));
    OneRow none("nasty_echo", server_json("nasty", "no_such_program", "[]"));
    CHECK_THROWS_AS(SandboxTrial(*none.suite, *none.task), Error);
}

TEST_CASE("streamable HTTP into a sandbox") {
    OneRow row("web_echo", server_json("web", "assay_test_mcp_http_server", R"(["3000"])",
                                       R"(,"transport":"http","port":3000)"));
    SandboxTrial trial(*row.suite, *row.task);
    CHECK(trial.call("web_echo", R"({"a":1})") == R"({"a":1})");
    CHECK(trial.sink.has(EventKind::Note, "MCP server web: http 1, revision 2025-11-25"));
    OneRow dead("web_echo",
                server_json("web", "no_such_program", "[]", R"(,"transport":"http","port":3000)"));
    CHECK_THROWS_WITH(SandboxTrial(*dead.suite, *dead.task),
                      Catch::Contains("'web' ended at its start"));
}
