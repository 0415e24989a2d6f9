#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/suites/mcp_atlas.h"
#include "catch.h"

using namespace assay;

namespace {

const Settings kNoNode = {{"mcp_servers", "/nowhere"}};

std::map<std::string, std::string> refused(const TaskSet& set) {
    return {set.refused().begin(), set.refused().end()};
}

std::vector<std::string> ids(const TaskSet& set) {
    std::vector<std::string> out;
    for (const TaskHeader& header : set.headers()) out.push_back(header.id);
    return out;
}

std::string usage_error(const Settings& settings) {
    try {
        make_mcp_atlas(settings);
    } catch (const Error& e) {
        return e.message();
    }
    return "";
}

std::string config_error(const std::string& json) {
    TempFolder folder;
    Path file = folder.path() / "servers.json";
    RealFileSystem().write(file, json);
    std::string text = usage_error({{"servers", file.string()}});
    auto at = text.find("servers.json");
    return at == text.npos ? text : text.substr(at);
}

} // namespace

TEST_CASE("the samples load; rows whose servers are missing are refused by name") {
    auto suite = make_mcp_atlas(kNoNode);
    auto set = suite->load({}, {});
    CHECK(ids(*set) == std::vector<std::string>{"kit-carrier-days", "kit-oslo-cost"});
    auto why = refused(*set);
    REQUIRE(why.size() == 2);
    CHECK(why["team-graph"] == "rows.csv:5: needs MCP server filesystem (its npm package is not "
                               "installed: run tools/mcp-servers), memory (its npm package is not "
                               "installed: run tools/mcp-servers)");
    TaskRef task = set->open(0);
    CHECK_FALSE(task->sandbox_tools);
    CHECK(task->agent_defaults.at("max_tool_calls") == "100");
    CHECK(task->budget.turns == 256);
    CHECK(task->header.digest.starts_with("sha256:"));
    REQUIRE(task->environment.sandboxes.size() == 1);
    CHECK(task->environment.sandboxes[0].name == "kit");
}

TEST_CASE("published rows: what is runnable follows from the reference run") {
    Path rows = Path(ASSAY_SOURCE_DIR) / "suites/mcp_atlas/samples/atlas";
    auto set = make_mcp_atlas(kNoNode)->load(rows, {});
    CHECK(ids(*set) == std::vector<std::string>{"6888e207a34beb25cfedda3b"}); // two stand-ins
    auto none = kNoNode;
    none["stand_ins"] = "no";
    auto strict = make_mcp_atlas(none)->load(rows, {});
    CHECK(strict->headers().empty());
    auto why = refused(*strict);
    CHECK(why["688ba1b3e95696e72dd93e8a"] ==
          "rows.csv:27: needs MCP server desktop-commander (not configured), git (not configured)");
    CHECK(why["6888e207a34beb25cfedda3b"].find("stand_ins=no") != std::string::npos);
    TaskFilter filter;
    filter.include = {"688b*"};
    CHECK(make_mcp_atlas(kNoNode)->load(rows, filter)->refused().size() == 1);
}

TEST_CASE("one sandbox a server, or one for all") {
    TempFolder folder;
    RealFileSystem().write(folder.path() / "servers.json",
                           R"({"servers":{"filesystem":{"command":"f"},"memory":{"command":"m",
                               "network":"public","folders":{"x":"/x"}}}})");
    Settings settings = {{"servers", (folder.path() / "servers.json").string()}};
    TaskFilter filter;
    filter.include = {"team-graph"};
    TaskRef each = make_mcp_atlas(settings)->load({}, filter)->open(0);
    REQUIRE(each->environment.sandboxes.size() == 2);
    CHECK(each->environment.sandboxes[0].name == "filesystem");
    CHECK(each->environment.sandboxes[1].folders_ro[0].first == folder.path() / "x");
    CHECK(each->claim.sandboxes == 2);
    settings["shared_sandbox"] = "yes";
    auto suite = make_mcp_atlas(settings);
    TaskRef shared = suite->load({}, filter)->open(0);
    REQUIRE(shared->environment.sandboxes.size() == 1);
    CHECK(shared->environment.sandboxes[0].network.mode == NetworkMode::Public);
    CHECK(shared->environment.sandboxes[0].folders_ro.size() == 1);
}

TEST_CASE("settings and server files: what is wrong, and where") {
    auto nowhere = kNoNode;
    nowhere["data"] = "/no/such/folder";
    CHECK_THROWS_WITH(make_mcp_atlas(nowhere)->load({}, {}), Catch::Contains("no such folder"));
    CHECK(usage_error({{"strict", "maybe"}}) == "mcp_atlas: strict=maybe: must be yes or no");
    CHECK(usage_error({{"judge_tries", "0"}}) ==
          "mcp_atlas: judge_tries=0: must be a number, 1 to 100");
    CHECK(config_error("{").find("servers.json: ") == 0);
    CHECK(config_error("{}") == "servers.json: there is no object \"servers\"");
    CHECK(config_error(R"({"servers":{"a":7}})") == "servers.json: server 'a': must be an object");
    CHECK(config_error(R"({"servers":{"a":{}}})") ==
          "servers.json: server 'a': 'command' is missing");
    CHECK(config_error(R"({"servers":{"a_b":{"command":"x"}}})").find("underscore") !=
          std::string::npos);
    CHECK(config_error(R"({"servers":{"a":{"command":"x","arg":[]}}})") ==
          "servers.json: server 'a': unknown key 'arg'");
    CHECK(config_error(R"({"servers":{"a":{"command":"x","env":{"K":"${ASSAY_NOT_SET}"}}}})") ==
          "servers.json: server 'a': the variable ASSAY_NOT_SET is not set");
    CHECK(config_error(R"({"servers":{"a":{"command":"x","transport":"http"}}})") ==
          "servers.json: server 'a': 'port' must be a number, 1 to 65535");
}
