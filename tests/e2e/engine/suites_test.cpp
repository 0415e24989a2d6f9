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

TEST_CASE("what a program in the sandbox asks of the engine is stored with ids, as its attempt's") {
    if (std::system("bwrap --unshare-all --bind / / true") != 0) return skip("no sandbox here");
    EngineRun run;
    run.assay.write_sums(1);
    const std::string ask =
        R"(ask() { address=${OPENAI_BASE_URL#http://}; address=${address%/v1}
  body="{\"model\":\"any\",\"max_tokens\":12,\"messages\":[{\"role\":\"user\",\"content\":\"$1\"}]}"
  exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
  printf "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\n\r\n%s" "$OPENAI_API_KEY" "${#body}" "$body" >&3
  cat <&3; }; ask "how much is it" && ask "how much is it, please")";
    CommandResult result = run({"example", "--tasks", "sums.txt", "--agent", "command", "--model",
                                "m3:tiny", "--logprobs", "1", "--agent-set",
                                "command=exec bash -c '" + ask + "'", "--out", "r.db"});
    INFO(result.out << result.err);
    REQUIRE(result.exit.code == 0);
    const auto calls = run.calls("r.db").at({"sum-0-1", 1});
    REQUIRE(calls.size() == 2);
    for (const CallRecord& call : calls) {
        CHECK(call.prompt_ids.size() == call.usage.prompt_tokens);
        CHECK(call.completion_ids.size() == call.usage.completion_tokens);
        CHECK(call.logprobs.size() == call.completion_ids.size());
    }
    CHECK(calls[1].usage.cached_tokens > 5); // "how much is it"
}
