#include "assay/mcp/tool_set.h"
#include "catch.h"
#include "fake_trial.h"
#include "server_fixture.h"

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {
struct Fixture : ServerFixture {
    MemoryBlobs blobs;
    mcp::McpToolSet set{mcp::plain_renderer(blobs)};
    FakeSandbox sandbox;

    void add(const std::string& prefix, const std::vector<std::string>& wanted = {}) {
        set.add_server(prefix, open({}, {.era = mcp::Era::Legacy, .call_timeout = 1s}), &sandbox,
                       wanted, cancel);
    }
    ToolOutcome call(const std::string& name, const std::string& arguments = "{}") {
        Tool* tool = set.find(name);
        REQUIRE(tool != nullptr);
        return tool->call(arguments, cancel);
    }
};
} // namespace

TEST_CASE("tools of several servers carry the server's name") {
    Fixture f;
    f.add("a");
    f.add("b-c", {"b-c_echo", "b-c_add", "other_thing"});
    CHECK(f.set.find("a_echo") != nullptr);
    CHECK(f.set.find("b-c_echo") != nullptr);
    CHECK(f.set.find("b-c_fail") == nullptr);
    CHECK(f.set.find("echo") == nullptr);
    f.set.order_by({"b-c_echo", "a_twice"});
    CHECK(f.set.tools()[0]->spec().name == "b-c_echo");
    CHECK(f.set.tools()[1]->spec().name == "a_twice");
    CHECK(plain_text(f.call("b-c_echo", R"({"text":"x"})").parts) == "x");
}

TEST_CASE("content blocks become parts, images go to the blob store") {
    Fixture f;
    f.add("s");
    ToolOutcome outcome = f.call("s_media");
    REQUIRE(outcome.parts.size() == 8);
    const BlobRef& image = std::get<ImagePart>(outcome.parts[1]).blob;
    CHECK(image.media_type == "image/png");
    CHECK(f.blobs.get(image).substr(1, 3) == "PNG");
    std::string text = plain_text(outcome.parts);
    CHECK(has(text, "[audio audio/wav, 3 bytes"));
    CHECK(has(text, "inside"));
    CHECK(has(text, "malformed base64"));
    CHECK(has(text, "n: file:///c"));
    CHECK(has(text, "unknown type 'hologram'"));
}

TEST_CASE("what goes wrong is shown to the model and counted") {
    Fixture f;
    f.add("s");
    CHECK(f.call("s_fail").is_error);
    CHECK(plain_text(f.call("s_fail").parts) == "it went wrong");
    ToolOutcome late = f.call("s_never");
    CHECK(late.is_error);
    CHECK(has(plain_text(late.parts), "Error: MCP server 'nasty' gave no answer"));
    CHECK(f.call("s_add", R"({"a":1})").structured == R"({"sum":1})");
    CHECK(plain_text(f.call("s_only_structured").parts) == R"({"k":1})");
    ToolOutcome dead = f.call("s_die");
    CHECK(has(plain_text(dead.parts), "out of cheese"));
    auto stats = f.set.stats();
    CHECK(stats.calls == 6);
    CHECK(stats.tool_errors == 2);
    CHECK(stats.timeouts == 1);
    CHECK(stats.dead == 1);
}

TEST_CASE("a dead server in a lost sandbox is the sandbox's fault") {
    Fixture f;
    f.add("s");
    f.sandbox.live = false;
    CHECK_THROWS_AS(f.call("s_die"), SandboxLost);
}
