#include "assay/base/error.h"
#include "catch.h"
#include "config_file.h"
#include "plan_settings.h"

using namespace assay;

namespace {

using Words = std::vector<std::string>;

const std::set<std::string> kKnown = {"--jobs", "--max-cost", "--quiet", "--dry-run", "--task",
                                      "--set",  "--output",   "--when",  "--config"};

Words merged(const Words& words, std::string_view toml) {
    return merge_config(words, toml, "run.toml", kKnown).words;
}

} // namespace

TEST_CASE("keys become options behind the command") {
    CHECK(merged({"run"}, "jobs = 4\nmax-cost = 1.5\nquiet = true\ndry_run = false") ==
          Words{"run", "--jobs=4", "--max-cost=1.5", "--quiet"});
    CHECK(merged({"run"}, "task = [\"a*\", \"b\"]") == Words{"run", "--task=a*", "--task=b"});
    CHECK(merged({"run"}, "[set]\nverifier = \"compat\"\nn = 3") ==
          Words{"run", "--set=n=3", "--set=verifier=compat"});
}

TEST_CASE("what the command line has is left out") {
    CHECK(merged({"run", "--jobs", "2"}, "jobs = 4") == Words{"run", "--jobs", "2"});
    CHECK(merged({"run", "--jobs=2"}, "jobs = 4") == Words{"run", "--jobs=2"});
    CHECK(merged({"run", "--task", "x"}, "task = [\"a\", \"b\"]") == Words{"run", "--task", "x"});
    CHECK(merged({"report", "-o", "x.html"}, "output = \"y\"") == Words{"report", "-o", "x.html"});
}

TEST_CASE("the suite is positional") {
    CHECK(merged({"run"}, "suite = \"example\"") == Words{"run", "example"});
    CHECK(merged({"run", "--jobs", "2"}, "suite = \"example\"") ==
          Words{"run", "example", "--jobs", "2"});
    CHECK(merged({"run", "--quiet", "other"}, "suite = \"example\"") ==
          Words{"run", "--quiet", "other"});
}

TEST_CASE("errors name file, line and column") {
    CHECK_THROWS_WITH(merged({"run"}, "a = 1\nb = = 2"), Catch::StartsWith("run.toml:2:5"));
    CHECK_THROWS_WITH(merged({"run"}, "config = \"x\""), Catch::Contains("cannot name another"));
    CHECK_THROWS_WITH(merged({"run"}, "when = 2026-11-24"), Catch::Contains("must be a string"));
    CHECK_THROWS_WITH(merged({"run"}, "jobs = 1\n dry_rum = true"),
                      Catch::Equals("run.toml:2:2: 'dry_rum': assay run has no option --dry-rum"));
}

TEST_CASE("what came from the file is known, to name the place of a bad value") {
    auto out = merge_config({"run", "--jobs", "2"}, "jobs = 1\ntask = [\"a\"]", "run.toml", kKnown);
    CHECK(out.origin == std::map<std::string, std::string>{{"--task", "run.toml:2:1"}});
}

TEST_CASE("a plan's settings survive the way through JSON") {
    RunArguments arguments;
    arguments.suite_settings = {"a=b=c"};
    arguments.verifier = "compat";
    arguments.task_globs = {"x*"};
    arguments.max_turns = 7;
    arguments.max_seconds = 1.5;
    arguments.timeout_multiplier = 2;
    arguments.clock = "net";
    arguments.max_cost = 12.5;
    arguments.logprobs = 0;
    arguments.keep_layer = 1 << 20;
    PlanSettings settings = PlanSettings::parse(PlanSettings::from(arguments).json());
    CHECK(settings.suite == Settings{{"a", "b=c"}, {"verifier", "compat"}});
    CHECK(settings.filter.include == Words{"x*"});
    CHECK(settings.budget.turns == 7);
    CHECK(settings.budget.time == from_seconds(1.5));
    CHECK(settings.timeout_multiplier == 2);
    CHECK(settings.net_clock);
    CHECK(settings.max_cost == 12.5);
    CHECK(settings.logprobs == 0);
    CHECK(settings.keep_layer == 1u << 20);
    CHECK_FALSE(settings.budget.cost);
    CHECK_THROWS_AS(PlanSettings::parse("{}"), Error);
}
