// Revision 2026-07-28 over stdio, and finding out which era a server is of.
#include "catch.h"
#include "server_fixture.h"

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;
using mcp::Era;

TEST_CASE("the era is probed") {
    ServerFixture fixture;
    CHECK(fixture.open({"--era", "modern"}, {.era = Era::Auto})->server().modern);
    CHECK(fixture.open({"--era", "both"}, {.era = Era::Auto})->server().modern);
    CHECK_FALSE(fixture.open({"--era", "legacy"}, {.era = Era::Auto})->server().modern);
    CHECK_FALSE(fixture.open({"--era", "both"}, {.era = Era::Legacy})->server().modern);
    CHECK(fixture.open({"--era", "modern", "--refuse-first"}, {.era = Era::Auto})->server().modern);
    auto wrong = fixture.start({"--era", "legacy"}, {.era = Era::Modern});
    CHECK(
        has(error_of([&] { wrong->open(fixture.cancel); }), "does not speak revision 2026-07-28"));
}

TEST_CASE("every modern request carries its metadata") {
    ServerFixture fixture;
    // This server answers -32602 to a request without.
    auto client = fixture.open({"--era", "modern"}, {.era = Era::Modern});
    CHECK(client->server().name == "nasty");
    CHECK(client->tools(fixture.cancel).size() > 20);
    CHECK(has(client->call("echo", R"({"text":"hi"})", fixture.cancel).content, "hi"));
}

TEST_CASE("a request for input is answered with the original request") {
    ServerFixture fixture;
    mcp::ClientOptions options{.era = Era::Modern, .max_rounds = 4};
    int asked = 0;
    options.handlers["elicitation/create"] = [&](std::string_view) {
        ++asked;
        return std::string(R"({"action":"accept","content":{}})");
    };
    auto client = fixture.open({"--era", "modern"}, options);
    auto with = client->call("needs_input", "{}", fixture.cancel);
    CHECK(has(with.content, R"(opaque{\"who\":{\"action\":\"accept\")"));
    auto without = client->call("needs_input", R"({"state":false})", fixture.cancel);
    CHECK(has(without.content, R"(none{\"who\")"));
    asked = 0;
    CHECK(
        has(error_of([&] { client->call("needs_input", R"({"for_ever":true})", fixture.cancel); }),
            "more than 4 times"));
    CHECK(asked == 5);
}

TEST_CASE("input that we do not offer, and unknown result types") {
    ServerFixture fixture;
    auto client = fixture.open({"--era", "modern"}, {.era = Era::Modern});
    CHECK(has(error_of([&] { client->call("needs_input", "{}", fixture.cancel); }),
              "asks for 'elicitation/create'"));
    CHECK(has(error_of([&] { client->call("odd_type", "{}", fixture.cancel); }), "'quantum'"));
}
