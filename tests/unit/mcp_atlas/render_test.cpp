#include "atlas_tools.h"
#include "catch.h"

using namespace assay;
using namespace assay::atlas;
using mcp::CallEnd;

namespace {
std::string shown(CallEnd end) {
    return plain_text(strict_renderer()("s_t", end).parts);
}
std::string shown(const std::string& content, bool is_error = false) {
    CallEnd end;
    end.result.content = content;
    end.result.is_error = is_error;
    return shown(end);
}
} // namespace

TEST_CASE("strict: what the official harness shows") {
    CHECK(shown(R"([{"type":"text","text":"a"},{"type":"text","text":"b"}])") == "ab");
    CHECK(shown("[]") == "success");
    CHECK(shown(R"([{"type":"text","text":"  \n"}])") == "success");
    CHECK(shown(R"([{"type":"image","data":"AAAA","mimeType":"image/png"}])") == "success");
    CHECK(shown(R"([{"type":"text","text":"a"},{"type":"image","data":"AAAA"}])").find("Error: ") ==
          0);
    CHECK(shown(R"([{"type":"text","text":"no \"such\" file"}])", true) ==
          R"({"detail":"Error calling tool 's_t': no \"such\" file"})");
    CHECK(shown(CallEnd{CallEnd::Kind::RpcError, {}, "bad", 0}) ==
          R"({"detail":"Error calling tool 's_t': bad"})");
    CHECK(shown(CallEnd{CallEnd::Kind::Timeout, {}, "x", 60}) ==
          "Tool call timed out after 60 seconds");
    CHECK(shown(CallEnd{CallEnd::Kind::Dead, {}, "it died\nstack", 0}) == "Error: it died");
}

TEST_CASE("the stale cache covers what the official list does") {
    CHECK(ResultCache::covers("memory"));
    CHECK(ResultCache::covers("mcp-code-executor"));
    CHECK_FALSE(ResultCache::covers("filesystem"));
    CHECK(ResultCache::key("t", R"({"b":1,"a":2})") == ResultCache::key("t", R"({"a":2,"b":1})"));
    CHECK(ResultCache::key("t", R"({"a":1})") != ResultCache::key("t", R"({"a":2})"));
}
