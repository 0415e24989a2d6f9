#include "assay/mcp/message.h"
#include "catch.h"

using namespace assay::mcp;
using Kind = IncomingMessage::Kind;

namespace {
IncomingMessage one(std::string_view text) {
    auto all = read_messages(text);
    REQUIRE(all.size() == 1);
    return all.front();
}
} // namespace

TEST_CASE("a message with a method is no answer, whatever its id") {
    IncomingMessage request = one(R"({"jsonrpc":"2.0","id":0,"method":"roots/list"})");
    CHECK(request.kind == Kind::Request);
    CHECK(request.id == "0");
    CHECK(request.method == "roots/list");
    // Even with a result beside it.
    CHECK(one(R"({"id":1,"method":"x","result":{}})").kind == Kind::Request);
    CHECK(one(R"({"method":"x"})").kind == Kind::Notification);
    CHECK(one(R"({"id":null,"method":"x"})").kind == Kind::Notification);
}

TEST_CASE("answers keep their id's type") {
    CHECK(one(R"({"id":7,"result":{"a":1}})").id == "7");
    CHECK(one(R"({"id":"7","result":{"a":1}})").id == "\"7\"");
    CHECK(one(R"({"id":7,"result":{"b":1,"a":2}})").body == R"({"b":1,"a":2})");
    IncomingMessage error = one(R"({"id":7,"error":{"code":-1}})");
    CHECK(error.kind == Kind::Error);
    CHECK(error.body == R"({"code":-1})");
    CHECK(one(R"({"id":null,"error":{"code":-32700}})").kind == Kind::Error);
}

TEST_CASE("garbage is malformed, never an exception") {
    for (std::string_view text :
         {"", "x", "{", "7", "null", "\"a\"", "{}", R"({"id":1})", R"({"id":{},"result":1})",
          R"({"id":1.5,"result":1})", R"({"method":7})", R"({"result":{}})", "[]", "\xff\xfe"})
        CHECK(one(text).kind == Kind::Malformed);
}

TEST_CASE("a batch is its messages") {
    auto all = read_messages(R"([{"method":"a"},7,{"id":1,"result":{}}])");
    REQUIRE(all.size() == 3);
    CHECK(all[0].kind == Kind::Notification);
    CHECK(all[1].kind == Kind::Malformed);
    CHECK(all[2].kind == Kind::Result);
}

TEST_CASE("depth is bounded before anything recurses") {
    std::string fine = R"({"id":1,"result":)" + std::string(150, '[') + std::string(150, ']') + "}";
    CHECK(one(fine).kind == Kind::Result);
    std::string deep = R"({"id":1,"result":)" + std::string(1'000'000, '[');
    CHECK(one(deep).problem == "nested deeper than 200 levels");
}

TEST_CASE("a message in Latin-1 is read with replacement characters") {
    CHECK(one("{\"id\":1,\"result\":{\"t\":\"caf\xe9\"}}").body == "{\"t\":\"caf\xef\xbf\xbd\"}");
}
