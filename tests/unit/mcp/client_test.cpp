// Things of the client that need no special server.
#include "catch.h"
#include "server_fixture.h"

using namespace assay;
using namespace assay::test;

TEST_CASE("arguments that are no object never reach the server") {
    ServerFixture fixture;
    auto client = fixture.open({});
    for (std::string text : {"", "[]", "7", "{", "\"a\""})
        CHECK_THROWS_AS(client->call("echo", text, fixture.cancel), mcp::RpcError);
    std::string deep = R"({"a":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
    CHECK_THROWS_AS(client->call("echo", deep, fixture.cancel), mcp::RpcError);
}

TEST_CASE("a closed client answers with an error, and closes twice without harm") {
    ServerFixture fixture;
    auto client = fixture.open({});
    client->close();
    client->close();
    CHECK(has(error_of([&] { client->call("echo", "{}", fixture.cancel); }), "was closed"));
}

TEST_CASE("closing wakes a call that waits") {
    ServerFixture fixture;
    auto client = fixture.open({});
    std::string text;
    std::thread waiting(
        [&] { text = error_of([&] { client->call("never", "{}", fixture.cancel); }); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    client->close();
    waiting.join();
    CHECK(has(text, "was closed"));
}
