// Scripted models through both agents on all three suites, in real sandboxes: a command fails, a
// call is malformed, the model recovers and solves; and the same cut off by a limit.
#include "assay/base/text.h"
#include "binary.h"
#include "sandbox_probe.h"

using namespace assay;
using namespace assay::test;

namespace {

std::string source(const std::string& path) {
    return RealFileSystem().read(Path(ASSAY_SOURCE_DIR) / path, 1 << 20);
}

Json shell(const std::string& command) {
    return {{"calls", {{{"name", "shell"}, {"arguments", {{"command", command}}}}}}};
}
Json malformed(const std::string& tool) {
    return {{"calls", {{{"name", tool}, {"arguments", "{\"oops\": "}}}}};
}
// Keystrokes, each with its wait in seconds.
Json keys(const std::vector<std::pair<std::string, double>>& batches, bool complete = false) {
    Json commands = Json::array();
    for (const auto& [text, wait] : batches)
        commands.push_back({{"keystrokes", text}, {"duration", wait}});
    return {{"say_json",
             {{"analysis", "as the script says"},
              {"plan", "go on"},
              {"commands", commands},
              {"task_complete", complete}}}};
}

// The function-calling steps if the tool is offered, else those for the terminal.
std::string script(const std::string& tool, const Json& calling, const Json& typing) {
    return Json{{"rules",
                 {{{"role", "agent"}, {"tool", tool}, {"sequence", calling}},
                  {{"role", "agent"}, {"sequence", typing}}}}}
        .dump();
}

const std::string kSort = R"(cd /app/downloads; for file in * .[!.]*; do [ -f "$file" ] || continue
case "${file#.}" in *.*) folder=$(printf '%s' "${file##*.}" | tr A-Z a-z) ;; *) folder=other ;; esac
mkdir -p "/app/sorted/$folder"; mv -- "$file" "/app/sorted/$folder/"; done)";

void write_scripts(Binary& assay) {
    assay.write("terminal.json", script("shell",
                                        {shell("sort-downloads --now"),
                                         malformed("shell"),
                                         shell(kSort),
                                         {{"calls", {{{"name", "submit"}, {"arguments", "{}"}}}}}},
                                        {keys({{"sort-downloads --now\n", 0.5}}),
                                         {{"say", "I forgot the format"}},
                                         keys({{kSort + "\n", 1.5}}),
                                         keys({}, true),
                                         keys({}, true)}));
    std::string answer = source("suites/kernel_bench/tasks/softmax_f32/oracle/solution.cpp");
    assay.write(
        "kernel.json",
        script("shell",
               {shell("echo 'void solve(' > /app/solution.cpp; /app/task/build.sh"),
                malformed("file"),
                {{"calls",
                  {{{"name", "file"},
                    {"arguments",
                     {{"action", "create"}, {"path", "/app/solution.cpp"}, {"text", answer}}}}}}},
                shell("/app/task/build.sh"),
                {{"say", "done"}}},
               {keys({{"echo 'void solve(' > /app/solution.cpp; /app/task/build.sh\n", 2}}),
                {{"say", "{\"analysis\": \"no plan\"}"}},
                keys({{"cat > /app/solution.cpp <<'END'\n" + answer + "\nEND\n", 2}}),
                keys({}, true),
                keys({}, true)}));
    Json query = {{"file", "deliveries.csv"},
                  {"aggregate", "mean"},
                  {"column", "days"},
                  {"group_by", "carrier"}};
    const std::string found = "Nordvei needs 3 days on average, Fjell 6.67 days: Nordvei is 3.67 "
                              "days faster.";
    assay.write("atlas.json",
                script("kit_csv_query",
                       {malformed("kit_csv_query"),
                        {{"calls", {{{"name", "kit_nothing"}, {"arguments", "{}"}}}}},
                        {{"calls", {{{"name", "kit_csv_query"}, {"arguments", query}}}}},
                        {{"say", found}}},
                       {keys({{"tool call kit_csv_query '{\"file\": '\n", 1}}),
                        {{"say", "no reply"}},
                        keys({{"tool call kit_csv_query '" + query.dump() + "'\n", 2},
                              {"tool answer '" + found + "'\n", 1}}),
                        keys({}, true),
                        keys({}, true)}));
}

struct Case {
    const char* suite;
    const char* task;
    const char* script;
    std::vector<std::string> more;
};

std::vector<Case> cases() {
    const std::string judge =
        "script:" + (Path(ASSAY_SOURCE_DIR) / "suites/mcp_atlas/samples/judge.json").string();
    return {{"terminal_bench", "sort-downloads", "terminal.json", {}},
            {"kernel_bench", "softmax_f32", "kernel.json", {}},
            {"mcp_atlas", "kit-carrier-days", "atlas.json", {"--judge", judge}}};
}

CommandResult run_case(Binary& assay, const Case& one, const std::string& agent,
                       const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {
        "run",     one.suite, "--task",  one.task,
        "--agent", agent,     "--model", std::string("script:") + one.script,
        "--out",   out};
    words.insert(words.end(), one.more.begin(), one.more.end());
    words.insert(words.end(), more.begin(), more.end());
    return assay(words);
}

} // namespace

TEST_CASE("both agents err, recover and solve on every suite; a limit is scored as it stands") {
    Binary assay;
    need_sandboxes();
    write_scripts(assay);
    for (const Case& one : cases()) {
        for (std::string agent : {"tools", "terminus"}) {
            INFO(one.suite << " with " << agent);
            std::string file = std::string(one.suite) + "-" + agent + ".db";
            CommandResult run = run_case(assay, one, agent, file);
            INFO(run.err << run.out);
            CHECK(run.exit.code == 0);
            if (run.exit.code > 1) continue;
            Json attempt = assay.attempts(file).at(0);
            INFO(attempt.dump());
            CHECK(attempt["class"] == "scored");
            CHECK(attempt["score"] == 1.0);
            CHECK(attempt["usage"]["turns"] >= 4);

            std::string cut = std::string(one.suite) + "-" + agent + "-cut.db";
            run = run_case(assay, one, agent, cut, {"--max-turns", "2"});
            INFO(run.err << run.out);
            REQUIRE(run.exit.code == 0);
            attempt = assay.attempts(cut).at(0);
            INFO(attempt.dump());
            CHECK(attempt["class"] == "limit");
            CHECK(attempt["score"] == 0.0);
            CHECK(attempt["usage"]["turns"] == 2);
        }
    }
}

TEST_CASE("a run through each agent can be replayed, and a changed machine is noticed") {
    Binary assay;
    need_sandboxes();
    write_scripts(assay);
    Case one = cases()[0];
    // On a screen the same must stand at the end of each wait, however slow the machine is.
    Json typing = {keys({{"sort-downloads --now\n", 4}}),
                   {{"say", "I forgot the format"}},
                   keys({{kSort + "\n", 4}}),
                   keys({}, true),
                   keys({}, true)};
    Json rule = {{"role", "agent"}, {"sequence", typing}};
    assay.write("steady.json", Json{{"rules", Json::array({rule})}}.dump());
    Case steady = one;
    steady.script = "steady.json";
    auto replays = [&](const std::string& agent, const Case& recorded, const std::string& file) {
        CommandResult first = run_case(assay, recorded, agent, file);
        INFO(first.err << first.out);
        REQUIRE(first.exit.code == 0);
        CommandResult again = assay({"run", "terminal_bench", "--task", one.task, "--agent", agent,
                                     "--model", "replay:" + file, "--out", "again-" + file});
        INFO(again.err << again.out);
        CHECK(again.exit.code == 0);
        Json was = assay.attempts(file).at(0), is = assay.attempts("again-" + file).at(0);
        CHECK(is["score"] == 1.0);
        CHECK(is["tries"] == 1);
        CHECK(is["usage"]["turns"] == was["usage"]["turns"]);
    };
    replays("tools", one, "first.db");
    replays("terminus", steady, "typed.db");
    // Another prompt: the first message differs, and that is an error of ours, not the model's.
    CommandResult other =
        assay({"run", "terminal_bench", "--task", one.task, "--agent", "tools", "--agent-set",
               "system=another prompt", "--model", "replay:first.db", "--out", "other.db"});
    INFO(other.err << other.out);
    CHECK(other.exit.code == 1);
    Json attempt = assay.attempts("other.db").at(0);
    CHECK(attempt["class"] == "infrastructure_error");
    CHECK(attempt["tries"] == 1);
    CHECK_THAT(attempt.dump(), Catch::Contains("message 1"));
}
