#include "catch.h"
#include "tools.h"

#include <limits>

using namespace assay::mcp;

namespace {
std::string problem_of(const char* schema) {
    std::string problem;
    return header_arguments(Json::parse(schema), problem) ? "" : problem;
}
} // namespace

TEST_CASE("marked arguments are found along properties") {
    std::string problem;
    auto found = header_arguments(Json::parse(R"({"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "in":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}})"),
                                  problem);
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    CHECK((*found)[1].first == std::vector<std::string>{"in", "n"});
    CHECK((*found)[1].second == "N");
}

TEST_CASE("schemas that break the header rules") {
    CHECK(problem_of(R"({"properties":{"a":{"type":"string"}}})") == "");
    CHECK(problem_of(R"({"properties":{"a":{"type":"string","x-mcp-header":""}}})") != "");
    CHECK(problem_of(R"({"properties":{"a":{"type":"string","x-mcp-header":"a b"}}})") != "");
    CHECK(problem_of(R"({"properties":{"a":{"type":"string","x-mcp-header":7}}})") != "");
    CHECK(problem_of(R"({"properties":{"a":{"type":"number","x-mcp-header":"A"}}})") != "");
    CHECK(problem_of(R"({"properties":{"a":{"type":"string","x-mcp-header":"A"},
                                       "b":{"type":"string","x-mcp-header":"a"}}})") != "");
    CHECK(problem_of(R"({"properties":{"a":{"type":"array",
                         "items":{"type":"string","x-mcp-header":"A"}}}})") != "");
    CHECK(problem_of(R"({"anyOf":[{"properties":{"a":{"type":"string",
                         "x-mcp-header":"A"}}}]})") != "");
    // A property that is itself called so is no mark.
    CHECK(problem_of(R"({"properties":{"x-mcp-header":{"type":"string"}}})") == "");
}

TEST_CASE("header values") {
    CHECK(header_value("us-east") == "us-east");
    CHECK(header_value("") == "");
    CHECK(header_value(42) == "42");
    CHECK(header_value(true) == "true");
    CHECK(header_value(" a") == "=?base64?IGE=?=");
    CHECK(header_value("ü") == "=?base64?w7w=?=");
    CHECK(header_value("a\r\nX: y") == "=?base64?YQ0KWDogeQ==?=");
    CHECK(header_value("=?base64?x?=") == "=?base64?PT9iYXNlNjQ/eD89?=");
    CHECK(header_value(-9007199254740991) == "-9007199254740991");
    CHECK_FALSE(header_value(-9007199254740992));
    CHECK_FALSE(header_value(std::numeric_limits<std::int64_t>::min()));
    CHECK_FALSE(header_value(std::numeric_limits<std::uint64_t>::max()));
    CHECK_FALSE(header_value(nullptr));
    CHECK_FALSE(header_value(1.5));
    CHECK_FALSE(header_value(9007199254740992));
    CHECK(header_value(9007199254740991) == "9007199254740991");
}
