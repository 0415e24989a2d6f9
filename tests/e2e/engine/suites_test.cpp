// The samples of all suites on a checkpoint with random weights: nothing crashes, all tokens are
// stored, and the score is an honest 0.
#include "engine_run.h"
#include "skip.h"

#include <cstdlib>

using namespace assay;
using namespace assay::test;

namespace {

void check_suite(EngineRun& run, const std::string& suite, const std::string& out) {
    CommandResult result = run({suite, "--agent", "tools", "--model",
                                "m3:tiny@tools=required,part_tokens=10,max_tokens=300", "--judge",
                                "m3:tiny@part_tokens=20,max_tokens=2000", "--logprobs", "0",
                                "--max-turns", "4", "--out", out});
    INFO(suite << ": " << result.out << result.err);
    CHECK(result.exit.code == 0);
    int called = 0;
    for (const Json& attempt : run.assay.attempts(out)) {
        CHECK((attempt["class"] == "scored" || attempt["class"] == "limit"));
        if (suite != "mcp_atlas") CHECK(attempt["score"] == 0.0); // there the judge is random too
    }
    for (const auto& [key, calls] : run.calls(out))
        for (const CallRecord& call : calls) {
            CHECK(call.completion_ids.size() == call.usage.completion_tokens);
            CHECK(call.logprobs.size() == call.completion_ids.size());
            if (call.role == "agent" && call.finish == "tool_calls") ++called;
        }
    CHECK(called > 0);
}

} // namespace

TEST_CASE("the samples of all suites run on the engine") {
    if (std::system("bwrap --unshare-all --bind / / true") != 0) return skip("no sandbox here");
    EngineRun run;
    for (const char* suite : {"example", "terminal_bench", "kernel_bench", "mcp_atlas"})
        check_suite(run, suite, std::string(suite) + ".db");
}
