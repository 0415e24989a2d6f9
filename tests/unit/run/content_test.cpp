// The canonical JSON of a message: what ids of recorded messages are made of.
#include "assay/api/content.h"
#include "assay/base/error.h"
#include "catch.h"
#include "fake_trial.h"

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

namespace {

class AnyTool final : public Tool {
  public:
    const ToolSpec& spec() const override { return spec_; }
    ToolOutcome call(std::string_view, const Cancel&) override {
        return text_outcome("called", false);
    }

  private:
    ToolSpec spec_{"shell", "", "{}"};
};

} // namespace

TEST_CASE("nesting that would overflow the stack is refused in messages and in arguments") {
    std::string deep = std::string(300, '[') + std::string(300, ']');
    CHECK_THROWS_WITH(message_from_json(R"({"role":"user","parts":[],"more":)" + deep + "}"),
                      Catch::Contains("deeply"));
    test::FakeTrial trial;
    AnyTool tool;
    CHECK_FALSE(call_tool(&tool, {"c1", "shell", R"({"command":[[]]})"}, trial).is_error);
    CHECK(call_tool(&tool, {"c2", "shell", R"({"command":)" + deep + "}"}, trial).is_error);
}
