// What runs on the engine compute and store: prompts once, turns only what is new, the same ids
// whatever the cache.
#include "engine_run.h"

using namespace assay;
using namespace assay::test;

namespace {

std::vector<std::string> sums(const std::string& out, const std::string& options,
                              std::vector<std::string> more) {
    std::vector<std::string> words = {
        "example",    "--tasks", "sums.txt", "--sandbox",          "null",  "--agent", "tools",
        "--logprobs", "2",       "--model",  "m3:tiny@" + options, "--out", out};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

} // namespace

TEST_CASE("five attempts compute their prompt once, and a turn only what is new") {
    EngineRun run;
    run.assay.write_sums(1);
    CommandResult result = run(sums("r.db", "max_tokens=40", {"--attempts", "5", "--jobs", "5"}));
    INFO(result.out << result.err);
    REQUIRE(result.exit.code == 0);
    const Json model = run.assay.show("r.db")["run"]["environments"][0]["models"][0];
    CHECK(model["sha256"].is_string());
    CHECK(model["plan"]["compute"] == "bf16");
    CHECK(model["plan"]["kernels"]["linear_bf16"].is_string());
    const auto calls = run.calls("r.db");
    REQUIRE(calls.size() == 5);
    std::uint64_t computed = 0, prompt = 0;
    int turns = 0;
    for (const auto& [key, of_attempt] : calls) {
        std::uint64_t before = 0;
        for (const CallRecord& call : of_attempt) {
            CHECK(call.completion_ids.size() == call.usage.completion_tokens);
            CHECK(call.logprobs.size() == call.completion_ids.size());
            CHECK(call.logprobs[0].top.size() == 2);
            CHECK(call.template_hash.has_value());
            CHECK_FALSE(call.prefix_broken);
            CHECK(call.prefill_seconds > 0);
            CHECK(call.decode_seconds > 0);
            if (call.turn == 0) {
                prompt = call.usage.prompt_tokens;
                computed += prompt - call.usage.cached_tokens;
            } else {
                ++turns;
                CHECK(call.usage.prompt_tokens == before + call.prompt_ids.size());
                // And the token that the turn before drew last.
                CHECK(call.usage.prompt_tokens - call.usage.cached_tokens ==
                      call.prompt_ids.size() + 1);
            }
            before = call.usage.prompt_tokens + call.usage.completion_tokens;
        }
    }
    CHECK(computed == prompt + 4); // the last token of a prompt is computed by each
    CHECK(turns > 3);
}

TEST_CASE("a small cache, other threads, other company: the same ids and log-probabilities") {
    EngineRun run;
    run.assay.write_sums(8); // trials at a time, on one engine
    REQUIRE(run(sums("a.db", "max_tokens=40", {"--jobs", "1"})).exit.code == 0);
    CommandResult small =
        run(sums("b.db", "max_tokens=40,cache=2M,threads=2,step=50", {"--jobs", "8"}));
    INFO(small.out << small.err);
    REQUIRE(small.exit.code == 0);
    const auto a = run.calls("a.db"), b = run.calls("b.db");
    REQUIRE(a.size() == 8);
    for (const auto& [key, calls] : a) {
        const auto& others = b.at(key);
        REQUIRE(calls.size() == others.size());
        for (std::size_t i = 0; i < calls.size(); ++i) {
            CHECK(calls[i].completion_ids == others[i].completion_ids);
            CHECK(calls[i].logprobs.size() == others[i].logprobs.size());
            for (std::size_t t = 0; t < calls[i].logprobs.size(); ++t)
                CHECK(calls[i].logprobs[t].logprob == others[i].logprobs[t].logprob);
        }
    }
}

TEST_CASE("a resume with other weights says so, and the record keeps it") {
    EngineRun run;
    run.assay.write_sums(2);
    REQUIRE(run(sums("r.db", "max_tokens=20", {"--max-turns", "1"})).exit.code == 0);
    CHECK_THAT(run.assay({"resume", "r.db"}).err, !Catch::Contains("another model"));
    CHECK(run.assay.show("r.db")["run"]["audit"].empty());
    TinyCheckpoint other;
    other.seed = 2;
    other.write(run.assay.folder() / "tiny");
    CHECK_THAT(run.assay({"resume", "r.db"}).err,
               Catch::Contains("not the one that the run began"));
    CHECK(run.assay.show("r.db")["run"]["audit"][0]["what"] == "resume with another model");
}
