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
