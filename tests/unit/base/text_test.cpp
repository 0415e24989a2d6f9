#include "assay/base/capture.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "catch.h"

#include <nlohmann/json.hpp>

using namespace assay;

TEST_CASE("invalid UTF-8 becomes the replacement character") {
    REQUIRE(utf8_clean("a\xffz") == "a\xEF\xBF\xBDz");
    REQUIRE(utf8_clean("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") ==
            "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    REQUIRE_FALSE(utf8_valid("\xED\xA0\x80")); // surrogate
    REQUIRE_FALSE(utf8_valid("\xC0\xAF"));     // overlong
    REQUIRE_FALSE(utf8_valid("\xF4\x90\x80\x80"));
}

TEST_CASE("globs") {
    REQUIRE(glob_match("*", ""));
    REQUIRE(glob_match("git-*", "git-leak"));
    REQUIRE_FALSE(glob_match("git-*", "git"));
    REQUIRE(glob_match("a?c[0-9]*z", "abc5xyz"));
    REQUIRE_FALSE(glob_match("[!a]", "a"));
    REQUIRE(glob_match("[", "["));
    REQUIRE(glob_match("a*b*c", "aXbYbZc"));
}

TEST_CASE("a capture keeps head and tail, and says what it left out") {
    Capture small(100);
    small.append("hello");
    REQUIRE(small.text() == "hello");
    REQUIRE_FALSE(small.truncated());

    Capture big(20);
    for (int i = 0; i < 1000; ++i) big.append("0123456789");
    big.append("END");
    std::string text = big.text();
    REQUIRE(big.total() == 10003);
    REQUIRE(text.substr(0, 10) == "0123456789");
    REQUIRE(text.substr(text.size() - 10) == "3456789END");
    REQUIRE(text.find("[... 9983 bytes left out ...]") != std::string::npos);

    Capture one(20); // the same in one piece
    std::string all;
    for (int i = 0; i < 1000; ++i) all += "0123456789";
    one.append(all + "END");
    REQUIRE(one.text() == text);
    REQUIRE(cut_middle(all + "END", 20) == text);
}

TEST_CASE("a capture is cut on UTF-8 boundaries") {
    std::string euros;
    for (int i = 0; i < 100; ++i) euros += "\xE2\x82\xAC";
    for (std::size_t limit = 10; limit < 30; ++limit) {
        Capture c(limit);
        c.append(euros);
        REQUIRE(utf8_valid(c.text()));
    }
}

TEST_CASE("JSON and shell quoting") {
    REQUIRE(json_quote("a\"b\\c\n\x01") == R"("a\"b\\c\n\u0001")");
    REQUIRE(json_quote("\xff") == "\"\xEF\xBF\xBD\"");
    REQUIRE(shell_quote("plain-1.0") == "plain-1.0");
    REQUIRE(shell_quote("it's") == "'it'\\''s'");
    REQUIRE(shell_quote("") == "''");
}

TEST_CASE("whole numbers of JSON fit or are refused") {
    auto number = [](const char* text) {
        return whole_number<int>(nlohmann::json::parse(text), "n");
    };
    CHECK(number("-2147483648") == -2147483648);
    CHECK(number("2147483647") == 2147483647);
    for (const char* wrong :
         {"2147483648", "-2147483649", "18446744073709551615", "1e300", "1.5", "\"1\"", "null"})
        CHECK_THROWS_WITH(number(wrong), "n must be a whole number in range");
}

TEST_CASE("the depth of JSON is known before it is parsed") {
    CHECK_FALSE(nested_too_deep(R"({"a":"[[[[[["})", 1)); // brackets in strings do not count
    CHECK_FALSE(nested_too_deep(R"({"a":"\"[[[[[["})", 1));
    CHECK_FALSE(nested_too_deep("]]]][", 1));
    CHECK(nested_too_deep("]]]][[", 1));
    CHECK(nested_too_deep("[{", 1));
    CHECK_FALSE(nested_too_deep("[][]", 1));
    std::string fits = std::string(200, '[') + std::string(200, ']');
    CHECK(parse_json<nlohmann::json>(fits).is_array());
    CHECK(parse_json<nlohmann::json>("[" + fits + "]").is_discarded());
    CHECK(parse_json<nlohmann::json>(std::string(1'000'000, '[')).is_discarded());
    CHECK(parse_json<nlohmann::ordered_json>("[1,").is_discarded());
}
