// What the parser makes of single values.
#include "arguments.h"
#include "assay/base/error.h"
#include "catch.h"

using namespace assay;

TEST_CASE("a value that is no number in range is refused: nan would be a limit that never holds") {
    for (const char* option :
         {"--max-cost", "--max-attempt-cost", "--max-seconds", "--timeout-multiplier",
          "--model-timeout", "--cpus", "--memory", "--max-turns", "--connections"}) {
        for (std::string value : {"nan", "NaN", "-nan", "-1", "0", "x"}) {
            INFO(option << "=" << value);
            try {
                parse_arguments({"run", "example", option + ("=" + value)});
                FAIL_CHECK("taken");
            } catch (const Error& e) {
                CHECK(e.kind() == ErrorKind::Usage);
                CHECK_THAT(e.message(), Catch::Contains(option));
            }
        }
        CHECK(parse_arguments({"run", "example", option, "2"}).arguments);
    }
    // More would overflow the clock.
    CHECK_THROWS_AS(parse_arguments({"run", "example", "--max-seconds", "1e300"}), Error);
    CHECK_THROWS_AS(parse_arguments({"run", "example", "--max-seconds", "inf"}), Error);
    CHECK(parse_arguments({"run", "example", "--max-cost", "none"}).arguments->run.max_cost >
          1e300);
    CHECK_THROWS_AS(parse_arguments({"bench", "harness", "--seconds", "nan"}), Error);
}

TEST_CASE("a size is taken with its unit") {
    auto kept = [](const std::string& value) {
        return parse_arguments({"run", "example", "--keep-layer", value}).arguments->run.keep_layer;
    };
    CHECK_FALSE(parse_arguments({"run", "example"}).arguments->run.keep_layer.has_value());
    CHECK(kept("16M") == 16u << 20);
    CHECK(kept("100k") == 100u << 10);
    CHECK(kept("7") == 7u);
    for (const char* value : {"0", "-1", "x", "2G", "16 parsecs", "99999999999999999999"}) {
        INFO(value);
        CHECK_THROWS_AS(kept(value), Error);
    }
}

TEST_CASE("beside a plan stands what a start may choose, and nothing that the plan has fixed") {
    using Words = std::vector<std::string>;
    auto with_plan = [](Words more) {
        more.insert(more.begin(), {"run", "--plan", "plan.json"});
        return parse_arguments(more);
    };
    for (const Words& words : std::vector<Words>{{"example"},
                                                 {"--task", "x"},
                                                 {"--exclude", "x"},
                                                 {"--agent", "noop"},
                                                 {"--model", "null"},
                                                 {"--judge", "null"},
                                                 {"--attempts", "1"},
                                                 {"--seed", "0"},
                                                 {"--sandbox", "null"},
                                                 {"--base", "host"},
                                                 {"--image-map", "map"},
                                                 {"--verifier", "compat"},
                                                 {"--set", "a=b"},
                                                 {"--agent-set", "a=b"},
                                                 {"--timeout-multiplier", "1"},
                                                 {"--clock", "net"},
                                                 {"--max-turns", "1"},
                                                 {"--max-tokens", "1"},
                                                 {"--max-attempt-cost", "1"},
                                                 {"--max-seconds", "1"},
                                                 {"--context-tokens", "1"},
                                                 {"--logprobs", "1"}}) {
        INFO(words.front());
        try {
            with_plan(words);
            FAIL_CHECK("taken");
        } catch (const Error& e) {
            CHECK(e.kind() == ErrorKind::Usage);
            CHECK_THAT(e.message(), Catch::Contains("--plan") && Catch::Contains(words.front()));
        }
    }
    CHECK(with_plan({"--tasks", "x", "--max-cost", "1", "--keep-layer", "1M", "--jobs", "2",
                     "--retries", "0", "--prices", "p", "--shard", "1/2", "--out", "r.db"})
              .arguments);
}
