#include "catch.h"
#include "claims.h"

using namespace assay::atlas;
using List = std::vector<std::string>;

TEST_CASE("claims as JSON, as Python and as text") {
    List two = {"It is 4.", "It's \"5\" now"};
    CHECK(parse_claims(R"(["It is 4.", "It's \"5\" now"])") == two);
    CHECK(parse_claims(R"(['It is 4.', 'It\'s "5" now'])") == two);
    CHECK(parse_claims("['one \\u00fc\\n', \"two\" 'fold', r]") != List{}); // not Python: as text
    CHECK(parse_claims("- first claim\n- second claim") == List{"first claim", "second claim"});
    CHECK(parse_claims("1. first claim\n   goes on\n2) second") ==
          List{"first claim\n   goes on", "second"});
    CHECK(parse_claims("first claim; second claim") == List{"first claim", "second claim"});
    CHECK(parse_claims("first claim || second claim") == List{"first claim", "second claim"});
    CHECK(parse_claims("first claim\nsecond claim") == List{"first claim", "second claim"});
    CHECK(parse_claims("") == List{});
    CHECK(parse_claims("[]") == List{});
}

TEST_CASE("Python lists") {
    CHECK(parse_python_list("('a', \"b\",)") == List{"a", "b"});
    CHECK(parse_python_list(R"(['\x41\u00fc\U0001f600\n\q'])") == List{"A\u00fc\U0001f600\n\\q"});
    CHECK(parse_python_list("['a' 'b']") == List{"ab"});
    CHECK(parse_python_list("[]") == List{});
    for (const char* text : {"", "[", "['a'", "['a", "['a'] x", "['a' 7]", R"(['\ud800'])",
                             R"(['\x4'])", "{'a'}", "['\\"})
        CHECK_FALSE(parse_python_list(text));
}

TEST_CASE("claims are cleaned as the official scorer does") {
    CHECK(clean_claim("  * It is so  ") == "It is so");
    CHECK(clean_claim("\u2022 It is so") == "It is so");
    CHECK(clean_claim("12. It is so") == "It is so");
    CHECK(clean_claim("4.25 is the mean") == "4.25 is the mean");
    CHECK(clean_claim("-18.4% was the change") == "-18.4% was the change");
    CHECK(clean_claim("\u201cIt\u2019s\u201d 1\u20132\u2026") == "\"It's\" 1-2...");
    CHECK(clean_claim("It is so\"'") == "It is so");
    // Three characters are no claim; four are, however many bytes they take.
    CHECK(parse_claims(R"(["abc", "\u00fc\u00fc\u00fc", "abcd"])") == List{"abcd"});
}
