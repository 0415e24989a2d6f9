// Tool calls: whole turns by the table, and what random turns are parsed to.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "catch.h"
#include "random_schema.h"
#include "validate.h"
#include "walks.h"

#include <rapidcheck.h>

using namespace walks;
using assay::Error;
using Choice = ToolCallOptions::Choice;

namespace {

constexpr std::string_view kTools = R"([
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1},
                       "tags": {"type": "array", "items": {"type": "string"}},
                       "opt": {"type": "object", "properties": {"k": {"type": "string"},
                               "on": {"type": ["boolean", "null"]}}}},
        "required": ["city"]}}},
    {"name": "now"}])";

// "~" stands for the namespace marker.
std::string spelled(std::string_view text) {
    return assay::replace_all(std::string(text), "~", "]<]minimax[>[");
}

bool follows_turn(std::string_view text, const ToolCallOptions& options,
                  std::string_view tools = kTools) {
    auto constraint = constrain_tool_calls(vocabulary(), tools, options);
    bool taken = follows(*constraint, tokenizer().encode(spelled(text)));
    auto again = constrain_tool_calls(vocabulary(), tools, options);
    CHECK(follows(*again, byte_tokens(spelled(text))) == taken);
    return taken;
}

std::string call(std::string_view invoke) {
    return "~<tool_call>\n" + std::string(invoke) + "\n~</tool_call>";
}

std::string tool_with(const validate::Json& parameters) {
    return validate::Json::array({{{"name", "t"}, {"parameters", parameters}}}).dump();
}

std::string refusal(std::string_view tools, ToolCallOptions options = {}) {
    try {
        constrain_tool_calls(vocabulary(), tools, options);
    } catch (const Error& e) {
        CHECK(e.kind() == assay::ErrorKind::Input);
        return e.render();
    }
    return {};
}

} // namespace

TEST_CASE("turns with tool calls, by the choice of tool") {
    const std::string now = call("~<invoke name=\"now\">~</invoke>");
    const std::string weather =
        call("~<invoke name=\"weather\">~<city>Par<is>]~</city>~<days>2~</days>~<tags>~<item>a"
             "~</item>~<item>~</item>~</tags>~<opt>~<k>v~</k>~<on>null~</on>~</opt>~</invoke>");
    const std::string two = "~<tool_call>~<invoke name=\"now\">~</invoke>\n~<invoke name=\"now\">"
                            "~</invoke>\n~</tool_call>";
    ToolCallOptions automatic, required, named;
    required.choice = Choice::Required;
    named.choice = Choice::Named;
    named.name = "now";
    for (const std::string& text : {now, weather, two, "I look. " + now}) {
        CAPTURE(text);
        CHECK(follows_turn(text, automatic));
        CHECK(follows_turn(text, required));
        CHECK(parse_output(spelled(text), ThinkingMode::Disabled, kTools).calls.size() ==
              (text == two ? 2u : 1u));
    }
    CHECK(follows_turn(now, named));
    CHECK_FALSE(follows_turn(weather, named));
    CHECK_FALSE(follows_turn(two, named));
    CHECK(follows_turn("only text", automatic));
    CHECK(follows_turn("", automatic));
    CHECK_FALSE(follows_turn("only text", required));
    CHECK_FALSE(follows_turn("only text", named));
}

TEST_CASE("a block that is begun must be a whole call of a tool that there is") {
    for (const char* text :
         {"~", "~<tool_call>", "~<tool_call>\n~</tool_call>", "~<invoke name=\"now\">~</invoke>",
          "~<tool_call>~<invoke name=\"other\">~</invoke>~</tool_call>",
          "~<tool_call>~<invoke name=\"now\">~</invoke>",
          "~<tool_call>~<invoke name=\"now\">~</invoke>~</tool_call> and more",
          "~<tool_call>~<invoke name=\"weather\">~</invoke>~</tool_call>",
          "~<tool_call>~<invoke name=\"weather\">~<days>2~</days>~</invoke>~</tool_call>",
          "~<tool_call>~<invoke name=\"weather\">~<city>~<x>~</city>~</invoke>~</tool_call>",
          "~<tool_call>~<invoke name=\"weather\">~<city>x~</city>~<days>0~</days>~</invoke>"
          "~</tool_call>",
          "~<tool_call>~<invoke name=\"weather\">~<city>x~</city>~<wind>x~</wind>~</invoke>"
          "~</tool_call>",
          "<mm:think>x</mm:think>", "a</mm:think>b"}) {
        CAPTURE(text);
        CHECK_FALSE(follows_turn(text, {}));
    }
}

TEST_CASE("reasoning comes before a call where the mode has it") {
    const std::string now = call("~<invoke name=\"now\">~</invoke>");
    ToolCallOptions options;
    options.choice = Choice::Required;
    options.thinking = ThinkingMode::Enabled;
    CHECK(follows_turn("so be it</mm:think>" + now, options));
    CHECK_FALSE(follows_turn(now, options));
    options.thinking = ThinkingMode::Adaptive;
    CHECK(follows_turn("<mm:think>so</mm:think>then" + now, options));
    CHECK(follows_turn(now, options));
    CHECK_FALSE(follows_turn("<mm:think>so" + now, options));
}

TEST_CASE("values are said so that the parser reads what the schema means") {
    struct Said {
        const char* schema; // of the parameter v
        std::vector<const char*> accepted, rejected;
    };
    const std::vector<Said> table{
        {R"({"type": ["string", "null"]})", {"x", "null", "Null"}, {}},
        {R"({"type": ["string", "integer"]})", {"x", "12", "1x", " 3"}, {}},
        {R"({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 5}]})",
         {"x", "7", "a1"},
         {"1", " 1", "-3"}},
        {R"({"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type":
             "integer"}}, "required": ["a"]}]})",
         {"x", R"({"a": 1})", ""},
         {R"({"a": "x"})", "{", R"( {"a": "x"})"}},
        {R"({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]})",
         {"", "~<item>1~</item>"},
         {"null", "~<item>x~</item>", "[1]"}},
        {R"({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}})",
         {"[]", R"([1, "a"])"},
         {"~<item>1~</item>", R"(["a"])"}},
        {R"({"type": "object", "additionalProperties": {"type": "integer"}})",
         {"{}", R"({"x": 1})"},
         {"~<x>1~</x>", R"({"x": "1"})"}},
        {R"({"enum": ["a b", 1, true]})", {"a b", "1", "true"}, {"2", "", "True"}},
        {R"({"type": "object", "properties": {"a/b>c": {"type": "integer"}},
             "required": ["a/b>c"]})",
         {R"({"a/b>c": 3})"},
         {"~<a/b>c>3~</a/b>c>"}},
        {R"({})", {"anything", "{", "12"}, {"~<a>~</a>"}},
    };
    for (const Said& one : table) {
        validate::Json schema = validate::Json::parse(one.schema);
        validate::Json parameters = {
            {"type", "object"}, {"properties", {{"v", schema}}}, {"required", {"v"}}};
        std::string tools = tool_with(parameters);
        auto turn = [](const char* text) {
            return call("~<invoke name=\"t\">~<v>" + std::string(text) + "~</v>~</invoke>");
        };
        for (const char* text : one.accepted) {
            CAPTURE(one.schema, text);
            CHECK(follows_turn(turn(text), {}, tools));
            auto parsed = parse_output(spelled(turn(text)), ThinkingMode::Disabled, tools);
            REQUIRE(parsed.calls.size() == 1);
            auto arguments = validate::Json::parse(parsed.calls[0].arguments);
            CAPTURE(arguments.dump());
            CHECK(validate::valid(arguments, parameters, parameters));
        }
        for (const char* text : one.rejected) {
            CAPTURE(one.schema, text);
            CHECK_FALSE(follows_turn(turn(text), {}, tools));
        }
    }
}

TEST_CASE("tools that cannot be called are refused, with the tool, the place and the keyword") {
    ToolCallOptions named;
    named.choice = Choice::Named;
    named.name = "other";
    CHECK_THAT(refusal(kTools, named), Catch::Contains("there is no tool other"));
    CHECK_THAT(refusal("[]"), Catch::Contains("there is no tool"));
    CHECK_THAT(refusal("{}"), Catch::Contains("tools: not a JSON array"));
    CHECK_THAT(refusal(R"([{"name": "a"}, {"name": "a"}])"), Catch::Contains("two are called a"));
    CHECK_THAT(refusal(R"([{"name": "a\"b"}])"), Catch::Contains("tools/0"));
    CHECK_THAT(refusal(R"([{"x": 1}])"), Catch::Contains("tools/0: a tool needs a name"));
    std::string said =
        refusal(tool_with({{"type", "object"}, {"properties", {{"a", {{"not", {}}}}}}}));
    CHECK_THAT(said, Catch::Contains("tool t"));
    CHECK_THAT(said, Catch::Contains("parameters/properties/a: not:"));
    CHECK_THAT(refusal(tool_with({{"type", "string"}})), Catch::Contains("parameters: type"));
    CHECK_THAT(refusal(tool_with({{"type", "object"},
                                  {"properties", {{"invoke", {{"type", "string"}}}}},
                                  {"required", {"invoke"}}})),
               Catch::Contains("parameters/properties/invoke: properties: what the schema allows"));
}

TEST_CASE("random turns are parsed to calls that the schemas accept") {
    std::size_t walked = 0, refused = 0, longest = 0;
    CHECK(rc::check("constrained tool calls", [&](std::uint64_t seed) {
        Dice dice(seed);
        auto parameters = random_schema::object(dice, 3);
        std::string tools =
            R"([{"name": "now"}, {"name": "t", "parameters": )" + parameters.dump() + "}]";
        ToolCallOptions options;
        options.choice = dice.below(2) == 0 ? Choice::Required : Choice::Named;
        options.name = "t";
        options.thinking = static_cast<ThinkingMode>(dice.below(3));
        options.reasoning_tokens = options.content_tokens = 8;
        options.string_tokens = 6;
        options.total_tokens = 150;
        options.most_calls = 2;
        const std::string name = dice.below(2) == 0 ? "plain" : "slash-nfc";
        std::unique_ptr<Constraint> constraint;
        try {
            constraint = constrain_tool_calls(vocabulary(name), tools, options);
        } catch (const Error&) {
            ++refused;
            return;
        }
        Walk made = walk(tokenizer(name), *constraint, dice, 5000);
        RC_LOG(tools + "\n" + made.text);
        RC_ASSERT(made.complete);
        ++walked;
        longest = std::max(longest, made.ids.size());
        auto parsed = parse_output(made.text, options.thinking, tools);
        RC_ASSERT(!parsed.calls.empty());
        RC_ASSERT(parsed.content.find("]<]minimax[>[") == std::string::npos);
        for (const ParsedCall& one : parsed.calls) {
            auto arguments = validate::Json::parse(one.arguments);
            validate::Json schema(parameters);
            RC_LOG(one.name + " " + one.arguments);
            if (one.name == "now")
                RC_ASSERT(arguments == validate::Json::object());
            else
                RC_ASSERT(validate::valid(arguments, schema, schema));
        }
    }));
    CHECK(walked > 5 * refused);
    CHECK(longest < 1500);
}
