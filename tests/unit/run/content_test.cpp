// The canonical JSON of a message: what ids of recorded messages are made of.
#include "assay/api/content.h"
#include "assay/base/error.h"
#include "catch.h"

#include <nlohmann/json.hpp>

using namespace assay;

TEST_CASE("a message's canonical JSON holds every part and comes back the same") {
    BlobRef png{sha256("png"), 3, "image/png"};
    Message message{Role::Tool, {}};
    message.parts.push_back(TextPart{"line\nquote \" backslash \\ tab \t bell \a \xff end"});
    message.parts.push_back(ImagePart{png});
    message.parts.push_back(VideoPart{png});
    message.parts.push_back(ReasoningPart{"thought", "sig"});
    message.parts.push_back(ReasoningPart{"no signature", ""});
    message.parts.push_back(ToolCall{"c1", "shell", R"({"command": "ls)"}); // malformed, kept
    ToolResult result{"c1", "shell", {}, true};
    result.parts = {TextPart{"out"}, ImagePart{png}};
    message.parts.push_back(result);
    result.is_error = false;
    result.parts.clear();
    message.parts.push_back(result);

    std::string text = to_json(message);
    auto json = nlohmann::json::parse(text);
    CHECK(json["parts"].size() == message.parts.size());
    CHECK(json["parts"][5]["tool_call"]["arguments"] == R"({"command": "ls)");
    CHECK(json["parts"][6]["tool_result"]["is_error"] == true);
    CHECK_FALSE(json["parts"][7]["tool_result"].contains("is_error"));
    CHECK_FALSE(json["parts"][4].contains("signature"));
    CHECK(to_json(message_from_json(text)) == text);
    CHECK(text.starts_with(R"({"role":"tool","parts":[{"text":"line\nquote)"));

    CHECK(to_json(*assistant_message("hi")) == R"({"role":"assistant","parts":[{"text":"hi"}]})");
    CHECK(to_json(Message{Role::User, {}}) == R"({"role":"user","parts":[]})");
    CHECK_THROWS_AS(message_from_json(R"({"role":"nobody","parts":[]})"), Error);
    CHECK_THROWS_AS(message_from_json(R"({"role":"user","parts":[{"smell":1}]})"), Error);
    CHECK_THROWS_AS(message_from_json("{"), Error);
}
