// The legacy era over stdio: handshake, pages, calls, progress, cancellation.
#include "catch.h"
#include "server_fixture.h"

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

TEST_CASE("handshake, tools and calls") {
    ServerFixture fixture;
    auto client = fixture.open({});
    CHECK(client->server().name == "nasty");
    CHECK(client->server().protocol == "2025-11-25");
    CHECK(client->server().instructions == "be careful");
    CHECK_FALSE(client->server().modern);
    auto tools = client->tools(fixture.cancel);
    CHECK(tools.size() > 20);
    auto result = client->call("add", R"({"a":2,"b":40})", fixture.cancel);
    CHECK(result.content == R"([{"text":"42","type":"text"}])");
    CHECK(result.structured == R"({"sum":42})");
    CHECK_FALSE(result.is_error);
    CHECK(client->call("fail", "{}", fixture.cancel).is_error);
    CHECK(client->request("ping", "{}", fixture.cancel) == "{}");
}

TEST_CASE("older answers are accepted, unknown revisions are not") {
    ServerFixture fixture;
    for (std::string version : {"2024-11-05", "2025-03-26", "2025-06-18"})
        CHECK(fixture.open({"--version", version})->server().protocol == version);
    auto client = fixture.start({"--version", "1999-01-01"});
    CHECK(has(error_of([&] { client->open(fixture.cancel); }), "speaks revision '1999-01-01'"));
}

TEST_CASE("an empty cursor is a cursor") {
    ServerFixture fixture;
    auto client = fixture.open({"--pages", "3"});
    auto tools = client->tools(fixture.cancel);
    REQUIRE(tools.size() == 3);
    CHECK(tools[1].name == "page1");
    CHECK(tools[2].name == "page2");
}

TEST_CASE("a list that has changed is listed again") {
    ServerFixture fixture;
    auto client = fixture.open({});
    auto before = client->tools(fixture.cancel).size();
    client->call("grow", "{}", fixture.cancel);
    CHECK(client->tools_changed());
    CHECK(client->tools(fixture.cancel).size() == before + 1);
    CHECK_FALSE(client->tools_changed());
}

TEST_CASE("requests of the server are answered in the middle of a call, id 0 included") {
    ServerFixture fixture;
    auto client = fixture.open({});
    auto pong = client->call("asks", R"({"method":"ping"})", fixture.cancel);
    CHECK(has(pong.content, R"(\"result\":{})"));
    auto roots = client->call("asks", R"({"method":"roots/list"})", fixture.cancel);
    CHECK(has(roots.content, "-32601"));
    CHECK(client->stats().refused_requests == 1);
}

TEST_CASE("a handler answers what we have declared") {
    ServerFixture fixture;
    mcp::ClientOptions options{.era = mcp::Era::Legacy, .capabilities = R"({"elicitation":{}})"};
    options.handlers["elicitation/create"] = [](std::string_view params) {
        CHECK(params == R"({"message":"?"})");
        return std::string(R"({"action":"decline"})");
    };
    auto client = fixture.open({}, options);
    auto result = client->call(
        "asks", R"({"method":"elicitation/create","params":{"message":"?"}})", fixture.cancel);
    CHECK(has(result.content, R"(\"action\":\"decline\")"));
}

TEST_CASE("a timeout cancels the request and drops the late answer") {
    ServerFixture fixture;
    auto client = fixture.open({}, {.era = mcp::Era::Legacy, .call_timeout = 1s});
    CHECK_THROWS_AS(client->call("late", R"({"ms":1500})", fixture.cancel), mcp::CallTimeout);
    for (int i = 0; i < 1000 && client->stats().unknown_answers == 0; ++i)
        std::this_thread::sleep_for(10ms);
    CHECK(client->stats().unknown_answers == 1);
    CHECK_FALSE(client->call("echo", R"({"text":"still here"})", fixture.cancel).is_error);

    CHECK_THROWS_AS(client->call("cancelled", "{}", fixture.cancel), mcp::CallTimeout);
    client->request("ping", "{}", fixture.cancel);
    // Standard error is another pipe than that of the answer.
    for (int i = 0; i < 1000 && !has(client->log_tail(), "got notifications/cancelled of "); ++i)
        std::this_thread::sleep_for(10ms);
    CHECK(has(client->log_tail(), "got notifications/cancelled of "));
}

TEST_CASE("progress starts the timeout anew, up to the ceiling") {
    ServerFixture fixture;
    mcp::ClientOptions options{.era = mcp::Era::Legacy, .call_timeout = 1500ms};
    const std::string slow = R"({"steps":8,"ms":300})";
    CHECK_THROWS_AS(fixture.open({}, options)->call("progress", slow, fixture.cancel),
                    mcp::CallTimeout);
    options.reset_on_progress = true;
    options.call_ceiling = 30s;
    CHECK(has(fixture.open({}, options)->call("progress", slow, fixture.cancel).content, "done"));
    options.call_ceiling = 1s;
    CHECK_THROWS_AS(fixture.open({}, options)->call("progress", slow, fixture.cancel),
                    mcp::CallTimeout);
}

TEST_CASE("a cancel from outside ends a call at once") {
    ServerFixture fixture;
    auto client = fixture.open({});
    Cancel phase = fixture.cancel.child();
    std::jthread stopper([&] {
        std::this_thread::sleep_for(50ms);
        phase.cancel(Cause::TimeLimit, "test");
    });
    CHECK_THROWS_AS(client->call("never", "{}", phase), Interrupted);
    Cancel limited = fixture.cancel.child(Cause::Deadline, 50ms, "phase");
    CHECK_THROWS_AS(client->call("never", "{}", limited), Interrupted);
}

TEST_CASE("calls run side by side") {
    ServerFixture fixture;
    auto client = fixture.open({});
    std::vector<std::jthread> threads;
    std::atomic<int> right = 0;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&, i] {
            for (int k = 0; k < 20; ++k) {
                auto arguments = "{\"a\":" + std::to_string(i * 100 + k) + "}";
                auto sum = client->call("add", arguments, fixture.cancel).structured;
                right += sum == "{\"sum\":" + std::to_string(i * 100 + k) + "}";
            }
        });
    threads.clear();
    CHECK(right == 160);
}
