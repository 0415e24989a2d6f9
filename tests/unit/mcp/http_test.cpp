// Streamable HTTP against a server of our own in this process.
#include "assay/mcp/http_transport.h"
#include "catch.h"
#include "mcp_http_handler.h"
#include "server_fixture.h"

#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;
using mcp::Era;

namespace {

struct HttpFixture {
    McpHttpServer handler;
    std::unique_ptr<HttpServer> server;
    Cancel cancel;

    std::string url() {
        if (!server) {
            HttpServerOptions options;
            options.stop_grace = 50ms;
            server = std::make_unique<HttpServer>(
                listen_loopback(),
                [this](const HttpRequest& request, ResponseWriter& writer) {
                    handler(request, writer);
                },
                options);
        }
        return "http://127.0.0.1:" + std::to_string(server->port()) + "/mcp";
    }
    std::unique_ptr<mcp::Client> open(mcp::ClientOptions options = {.era = Era::Auto},
                                      mcp::HttpLimits limits = {}) {
        options.server = "web";
        auto client =
            std::make_unique<mcp::Client>(mcp::http_transport({.url = url()}, limits), options);
        client->open(cancel);
        return client;
    }
    std::string echo(mcp::Client& client) {
        return client.call("echo", R"({"a":1})", cancel).content;
    }
};

const std::string kEchoed = R"([{"type":"text","text":"{\"a\":1}"}])";

} // namespace

TEST_CASE("legacy HTTP: a session, JSON bodies and event streams") {
    for (bool events : {false, true}) {
        HttpFixture f;
        f.handler.events = events;
        auto client = f.open();
        CHECK(client->server().protocol == "2025-11-25");
        CHECK(client->tools(f.cancel).size() == 3);
        CHECK(f.echo(*client) == kEchoed);
        CHECK(f.handler.last_header("tools/call", "MCP-Session-Id") == "session-1");
        CHECK(f.handler.last_header("tools/call", "MCP-Protocol-Version") == "2025-11-25");
        CHECK(f.handler.last_header("tools/call", "Mcp-Name") == "");
        CHECK(f.handler.last_header("initialize", "MCP-Session-Id") == "");
        client->close();
        CHECK(f.handler.count("DELETE") == 1);
    }
}

TEST_CASE("a forgotten session is opened anew, once") {
    HttpFixture f;
    auto client = f.open({.era = Era::Legacy});
    f.handler.forget = true;
    CHECK(f.echo(*client) == kEchoed);
    CHECK(f.handler.sessions == 2);
    CHECK(f.handler.last_header("tools/call", "MCP-Session-Id") == "session-2");
}

TEST_CASE("a stream that ends before its answer is resumed after the server's time") {
    HttpFixture f;
    f.handler.events = f.handler.break_streams = true;
    f.handler.retry_ms = 200;
    auto client = f.open({.era = Era::Legacy});
    CHECK(f.echo(*client) == kEchoed);
    std::lock_guard lock(f.handler.mutex);
    REQUIRE(f.handler.resumed.size() == 1);
    CHECK(f.handler.resumed[0] - f.handler.cut_at >= 200ms); // never too early
}

TEST_CASE("a stream that breaks without an event id ends in an error") {
    HttpFixture f;
    auto client = f.open({.era = Era::Legacy});
    CHECK(has(error_of([&] { client->call("cut", "{}", f.cancel); }),
              "MCP server 'web' ended its stream without an answer"));
    CHECK(f.echo(*client) == kEchoed);
}

TEST_CASE("modern HTTP: metadata, names and arguments in headers") {
    HttpFixture f;
    f.handler.modern = true;
    using Json = nlohmann::ordered_json;
    f.handler.tools = Json::parse(R"([
        {"name":"echo","inputSchema":{"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"}}}},
        {"name":"bad","inputSchema":{"type":"object","properties":{
            "x":{"type":"number","x-mcp-header":"X"}}}}])");
    auto client = f.open();
    CHECK(client->server().modern);
    auto tools = client->tools(f.cancel);
    REQUIRE(tools.size() == 1); // the invalid one is left out
    CHECK(client->warnings().size() == 1);
    client->call("echo", R"({"region":"Zürich"})", f.cancel);
    CHECK(f.handler.last_header("tools/call", "Mcp-Method") == "tools/call");
    CHECK(f.handler.last_header("tools/call", "Mcp-Name") == "echo");
    CHECK(f.handler.last_header("tools/call", "Mcp-Param-Region") == "=?base64?WsO8cmljaA==?=");
    client->call("echo", R"({"region":null})", f.cancel);
    CHECK(f.handler.last_header("tools/call", "Mcp-Param-Region") == "");
    CHECK(f.handler.last_header("tools/call", "MCP-Session-Id") == "");
    CHECK_THROWS_AS(client->request("no/such", "{}", f.cancel), mcp::RpcError); // 404 with a body
}

TEST_CASE("a timeout leaves the connection usable") {
    HttpFixture f;
    auto client = f.open({.era = Era::Legacy, .call_timeout = 1s});
    CHECK_THROWS_AS(client->call("hang", "{}", f.cancel), mcp::CallTimeout);
    CHECK(f.handler.last_header("notifications/cancelled", "MCP-Session-Id") == "session-1");
    CHECK(f.echo(*client) == kEchoed);
}

TEST_CASE("what is no MCP server says so") {
    HttpFixture f;
    f.handler.plain_404 = true;
    std::string text = error_of([&] { f.open({.era = Era::Legacy}); });
    CHECK(has(text, "MCP server 'web' answered with HTTP 404"));
    mcp::Client nobody(mcp::http_transport({.url = "http://127.0.0.1:1/mcp"}),
                       {.server = "gone", .era = Era::Legacy});
    CHECK(has(error_of([&] { nobody.open(f.cancel); }), "MCP server 'gone' cannot be reached"));
}

TEST_CASE("the transport goes over any stream") {
    HttpFixture f;
    f.url();
    std::atomic<int> connections = 0;
    mcp::HttpTarget target{.url = "http://inside:3000/mcp"};
    target.connect = [&](const Cancel& cancel) -> std::unique_ptr<Stream> {
        ++connections;
        return std::make_unique<FdStream>(connect_tcp("127.0.0.1", f.server->port(), cancel));
    };
    mcp::Client client(mcp::http_transport(target), {.server = "web", .era = Era::Legacy});
    client.open(f.cancel);
    CHECK(f.echo(client) == kEchoed);
    CHECK(connections >= 3);
    CHECK(f.handler.last_header("tools/call", "Host") == "inside:3000");
}
