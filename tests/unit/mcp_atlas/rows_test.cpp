#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "catch.h"
#include "csv.h"
#include "rows.h"

using namespace assay;
using namespace assay::atlas;
using List = std::vector<std::string>;

namespace {
std::string message_of(std::string_view text, const std::string& name = "rows.csv") {
    try {
        parse_rows(text, name);
    } catch (const Error& e) {
        return e.message();
    }
    return "";
}
const std::string kHeader = "TASK,ENABLED_TOOLS,PROMPT,TRAJECTORY,GTFA_CLAIMS\n";
} // namespace

TEST_CASE("CSV as RFC 4180 has it, and a little more") {
    auto rows = parse_csv("\xef\xbb\xbf"
                          "a,b\r\n\"x\"\"y\",\"1\n2\"\r\n\n,\n\"\"\nbare\"quote,");
    REQUIRE(rows.size() == 5);
    CHECK(rows[0].fields == List{"a", "b"});
    CHECK(rows[1].fields == List{"x\"y", "1\n2"});
    CHECK(rows[2].fields == List{"", ""});
    CHECK(rows[2].line == 5);
    CHECK(rows[3].fields == List{""});
    CHECK(rows[4].fields == List{"bare\"quote", ""});
    CHECK_THROWS_WITH(parse_csv("a\n\"b\nc"), "line 2: a quoted field is never closed");
    CHECK_THROWS_WITH(parse_csv("\"a\"b"), "line 1: text after the closing quote of a field");
    CHECK(parse_csv("").empty());
    CHECK(parse_csv("\r").size() == 1);
}

TEST_CASE("the three forms of ENABLED_TOOLS, and old names") {
    List two = {"memory_read_graph", "git_git_log"};
    CHECK(parse_enabled_tools(R"(["memory_read_graph","git_git_log","git_git_log"])") == two);
    CHECK(parse_enabled_tools(R"([{"name":"memory_read_graph","requiredParams":[]},
                                  {"name":"git_git_log"},{"x":1},7])") == two);
    CHECK(parse_enabled_tools("memory_read_graph, git_git_log,") == two);
    CHECK(parse_enabled_tools("brave_brave_web_search,MongoDB_find") ==
          List{"brave-search_brave_web_search", "mongodb_find"});
    CHECK(server_of("mcp-code-executor_execute_code") == "mcp-code-executor");
    CHECK(server_of("none") == "none");
}

TEST_CASE("the published rows are read") {
    Path file = Path(ASSAY_SOURCE_DIR) / "suites/mcp_atlas/samples/atlas/rows.csv";
    auto rows = parse_rows(RealFileSystem().read(file), "rows.csv");
    REQUIRE(rows.size() == 5);
    for (const Row& row : rows) {
        CHECK(row.problem == "");
        CHECK(row.claims.size() >= 2);
        CHECK(row.enabled.size() >= 6);
        CHECK(row.calls.size() >= 4);
    }
    CHECK(rows[0].id == "689bd255c0422b257e7dfcc5");
    CHECK(rows[0].calls[2].tool == "filesystem_read_file");
    CHECK(rows[0].calls[2].arguments == "{\n  \"path\": \"/data/Barber Shop.csv\"\n}");
    CHECK(rows[0].reference_answer == ""); // it ends with a tool's result
    CHECK(rows[2].claims.size() == 7);
}

TEST_CASE("a reference answer counts only after the last call") {
    std::string line = R"({"TASK":"t","ENABLED_TOOLS":"a_b","PROMPT":"p","GTFA_CLAIMS":["claim"],)"
                       R"("TRAJECTORY":[{"role":"assistant","content":"first"},)"
                       R"({"role":"assistant","content":"x","tool_calls":[{"function":)"
                       R"({"name":"a_b","arguments":{"k":1}}}]},{"role":"tool","content":"r"})";
    auto without = parse_rows(line + "]}", "rows.jsonl");
    CHECK(without[0].reference_answer == "");
    CHECK(without[0].calls[0].arguments == R"({"k":1})");
    auto with = parse_rows(
        line + R"(,{"role":"assistant","content":[{"type":"text","text":"so"}]}]})", "rows.jsonl");
    CHECK(with[0].reference_answer == "so");
    CHECK(with[0].claims == List{"claim"});
}

TEST_CASE("broken files name file, line and what to do") {
    CHECK(message_of("") == "rows.csv: the file is empty");
    CHECK(message_of("TASK,PROMPT\n") == "rows.csv: there is no column GTFA_CLAIMS");
    CHECK(message_of(kHeader + "a,b\n") == "rows.csv:2: 2 fields, the header has 5");
    CHECK(message_of(kHeader + "a,\"b\n") == "rows.csv: line 2: a quoted field is never closed");
    CHECK(message_of("{}\n", "x.jsonl") == "x.jsonl:1: there is no column TASK");
    CHECK(message_of("{\n", "x.jsonl") == "x.jsonl:1: not a JSON object");
    CHECK(message_of("PAR1", "MCP-Atlas.parquet") == "MCP-Atlas.parquet: Parquet is not read");
}

TEST_CASE("broken rows keep the others") {
    auto rows = parse_rows(kHeader + "a,a_b,p,nonsense,\"['c1 is so']\"\nb,a_b,,,[]\nc,a_b,p,,[]\n"
                                     "c,a_b,p,,[]\n,a_b,p,,[]\nd,a_b,p,[[]],[]\n",
                           "rows.csv");
    REQUIRE(rows.size() == 6);
    CHECK(rows[0].problem == "TRAJECTORY is not a JSON list");
    CHECK(rows[1].problem == "PROMPT is empty");
    CHECK(rows[2].problem == "");
    CHECK(rows[3].problem == "the same TASK as rows.csv:4");
    CHECK(rows[4].problem == "TASK is empty");
    std::string deep(100'000, '[');
    CHECK(parse_rows(kHeader + "a,a_b,p," + deep + ",[]\n", "r.csv")[0].problem != "");
}
