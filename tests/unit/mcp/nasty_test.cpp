// Servers with bad manners: each must end in one clear sentence, or in nothing at all.
#include "catch.h"
#include "server_fixture.h"

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

TEST_CASE("a server that dies in mid-call is named with its exit code and last words") {
    ServerFixture fixture;
    auto client = fixture.open({});
    std::string text = error_of([&] { client->call("die", "{}", fixture.cancel); });
    CHECK(has(text, "MCP server 'nasty' ended with exit code 3"));
    CHECK(has(text, "fatal: out of cheese"));
    CHECK_FALSE(client->alive());
    // And so does every later call.
    CHECK(has(error_of([&] { client->call("echo", "{}", fixture.cancel); }), "exit code 3"));
}

TEST_CASE("a server that is killed in the middle of a line") {
    ServerFixture fixture;
    auto client = fixture.open({});
    CHECK(has(error_of([&] { client->call("die_in_line", "{}", fixture.cancel); }),
              "killed by signal 9"));
}

TEST_CASE("a server that does not start says why") {
    ServerFixture fixture;
    auto client = fixture.start({"--die-at-start"});
    std::string text = error_of([&] { client->open(fixture.cancel); });
    CHECK(has(text, "exit code 7"));
    CHECK(has(text, "no such module"));
}

TEST_CASE("a server that never answers does not hang the start") {
    ServerFixture fixture;
    auto client = fixture.start(
        {"--hang"}, {.era = mcp::Era::Auto, .startup_timeout = 400ms, .probe_timeout = 100ms});
    CHECK_THROWS_AS(client->open(fixture.cancel), mcp::CallTimeout);
}

TEST_CASE("noise on stdout, floods on stderr, early notifications") {
    ServerFixture fixture;
    auto client = fixture.open({"--noise", "--stderr-flood", "--tools-at-init"});
    CHECK(has(client->call("echo", R"({"text":"hi"})", fixture.cancel).content, "hi"));
    CHECK(client->stats().malformed >= 2);
    CHECK(client->log_tail().size() <= 2000);
}

TEST_CASE("garbage, batches and Latin-1 between messages") {
    ServerFixture fixture;
    auto client = fixture.open({});
    CHECK(has(client->call("garbage", "{}", fixture.cancel).content, "after the garbage"));
    CHECK(client->stats().malformed == 5);
    CHECK(has(client->call("batch", "{}", fixture.cancel).content, "both"));
    CHECK(has(client->call("latin1", "{}", fixture.cancel).content, "caf\xef\xbf\xbd"));
}

TEST_CASE("wrong ids and second answers are dropped and counted") {
    ServerFixture fixture;
    auto client = fixture.open({});
    CHECK(has(client->call("wrong_id", "{}", fixture.cancel).content, "yours"));
    CHECK(client->stats().unknown_answers == 2);
    CHECK(has(client->call("twice", "{}", fixture.cancel).content, "first"));
    client->request("ping", "{}", fixture.cancel);
    CHECK(client->stats().unknown_answers == 3);
}

TEST_CASE("a line over the limit is dropped, not kept") {
    ServerFixture fixture;
    auto client = fixture.open({}, {.era = mcp::Era::Legacy}, {.message_bytes = 100'000});
    CHECK(has(client->call("huge", R"({"bytes":90000})", fixture.cancel).content, "xxx"));
    std::string text =
        error_of([&] { client->call("huge", R"({"bytes":3000000})", fixture.cancel); });
    CHECK(has(text, "sent a line of more than 97.7 KiB"));
    CHECK(has(client->call("echo", R"({"text":"alive"})", fixture.cancel).content, "alive"));
}

TEST_CASE("deep JSON is refused, the server is not") {
    ServerFixture fixture;
    auto client = fixture.open({});
    CHECK(has(client->call("deep", "{}", fixture.cancel).content, "after the deep one"));
    CHECK(client->stats().malformed == 1);
}

TEST_CASE("many notifications do not disturb; endless ones end in the timeout") {
    ServerFixture fixture;
    auto patient = fixture.open({});
    CHECK(has(patient->call("chatter", R"({"count":5000})", fixture.cancel).content, "heard"));
    auto client = fixture.open({}, {.era = mcp::Era::Legacy, .call_timeout = 1s}, {.grace = 200ms});
    CHECK_THROWS_AS(client->call("endless", "{}", fixture.cancel), mcp::CallTimeout);
}

TEST_CASE("page cursors that repeat or never end") {
    ServerFixture fixture;
    auto repeats = fixture.open({"--repeat-cursor"});
    CHECK(repeats->tools(fixture.cancel).size() == 1);
    CHECK(has(repeats->warnings().back(), "repeats the page cursor"));
    auto endless = fixture.open({"--endless-pages"}, {.era = mcp::Era::Legacy, .max_pages = 20});
    CHECK(endless->tools(fixture.cancel).size() == 20);
    CHECK(has(endless->warnings().back(), "more than 20 pages"));
}

TEST_CASE("tools with bad schemas are mended or left out, with a warning") {
    ServerFixture fixture;
    auto client = fixture.open({"--bad-schema"});
    auto tools = client->tools(fixture.cancel);
    REQUIRE(tools.size() == 3);
    CHECK(tools[1].input_schema == R"({"type":"object"})");
    CHECK(tools[2].input_schema == R"({"type":"object"})");
    CHECK(client->warnings().size() == 5);
}

TEST_CASE("results without content, errors without an id") {
    ServerFixture fixture;
    auto client = fixture.open({});
    CHECK(has(error_of([&] { client->call("no_content", "{}", fixture.cancel); }),
              "without content"));
    CHECK_THROWS_AS(client->call("error_without_id", "{}", fixture.cancel), mcp::RpcError);
    CHECK_THROWS_AS(client->call("no_such_tool", "{}", fixture.cancel), mcp::RpcError);
}

TEST_CASE("a server that ignores the end of stdin and SIGTERM is killed") {
    ServerFixture fixture;
    auto client = fixture.open({"--ignore-eof"}, {.era = mcp::Era::Legacy}, {.grace = 100ms});
    client->close(); // returns
    CHECK_FALSE(client->alive());
}
