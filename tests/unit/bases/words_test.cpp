#include "assay/base/error.h"
#include "bases/docker/words.h"
#include "catch.h"

using namespace assay;
using namespace assay::bases;

TEST_CASE("variables and quotes of Dockerfile arguments") {
    Variables v = {{"A", "1"}, {"EMPTY", ""}, {"PATH", "/bin"}};
    auto one = [&](std::string_view text) { return expand(text, v, '\\'); };
    CHECK(one("$A ${A}b $NONE.") == "1 1b .");
    CHECK(one("'$A' \"$A\" \\$A") == "$A 1 $A");
    CHECK(one("${NONE:-x$A} ${EMPTY:-y} ${EMPTY-y} ${A:+z} ${EMPTY:+z} ${EMPTY+z}") ==
          "x1 y  z  z");
    CHECK(one("${NONE:-${ALSO:-deep}}") == "deep");
    CHECK(one("/x:$PATH$") == "/x:/bin$");
    CHECK(expand_words("a 'b c'  \"d $A\"", v, '\\') ==
          std::vector<std::string>{"a", "b c", "d 1"});
    CHECK_THROWS_AS(one("'open"), Error);
    CHECK_THROWS_AS(one("${A"), Error);
    CHECK_THROWS_AS(one("${A%x}"), Error);
    CHECK(expand_body("'$A' \\$A \\n", v) == "'1' $A \\n");
}

TEST_CASE("both forms of ENV") {
    Variables v = {{"PATH", "/bin"}};
    auto pairs = expand_pairs("A=1 B=\"two words\" P=/x:$PATH", v, '\\');
    REQUIRE(pairs.size() == 3);
    CHECK(pairs[1].second == "two words");
    CHECK(pairs[2].second == "/x:/bin");
    auto old = expand_pairs("GREETING hello  =world", v, '\\');
    REQUIRE(old.size() == 1);
    CHECK(old[0] == std::pair<std::string, std::string>{"GREETING", "hello  =world"});
    CHECK_THROWS_AS(expand_pairs("A", v, '\\'), Error);
    CHECK_THROWS_AS(expand_pairs("A=1 B", v, '\\'), Error);
}

TEST_CASE("an expansion that doubles again and again is stopped") {
    Variables v = {{"X", std::string(1 << 20, 'x')}};
    CHECK_THROWS_AS(expand("$X$X$X$X$X", v, '\\'), Error);
    std::string nested;
    for (int i = 0; i < 100; ++i) nested += "${A:-";
    nested += std::string(100, '}');
    CHECK_THROWS_AS(expand(nested, v, '\\'), Error);
}
