// JSON schemas: what is accepted and what is not, by single bytes and by the tokenizer's own
// tokens; what is refused; and that whatever is chosen ends as valid JSON.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "catch.h"
#include "validate.h"
#include "walks.h"

using namespace walks;
using assay::Error;

namespace {

struct Case {
    const char* schema;
    std::vector<const char*> accepted, rejected;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {R"({"type": "null"})", {"null"}, {"", "nul", "nulll", " null", "true"}},
        {R"({"type": "boolean"})", {"true", "false"}, {"True", "1", "truefalse"}},
        {R"({"type": "integer"})",
         {"0", "7", "-1", "123456789012345678"},
         {"-0", "01", "1.0", "1e3", "+1", "-", "1234567890123456789"}},
        {R"({"type": "integer", "minimum": -12, "maximum": 205})",
         {"-12", "-9", "-1", "0", "9", "99", "100", "199", "205"},
         {"-13", "-20", "206", "210", "1000", "-0", "-100"}},
        {R"({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10})",
         {"1", "9"},
         {"0", "10", "-1"}},
        {R"({"type": "integer", "minimum": 1.5, "maximum": 3.5})", {"2", "3"}, {"1", "4"}},
        {R"({"type": "number"})",
         {"0", "-0.5", "12.25", "1e5", "2E-7", "0.0e+10"},
         {".5", "1.", "01", "1e", "1e123", "--1", "NaN", "Infinity"}},
        {R"({"type": "number", "minimum": 0, "maximum": 1})",
         {"0", "1", "0.5", "0.999", "0.0"},
         {"-0.1", "1.0", "1.1", "2", "-0", "1e0"}},
        {R"({"type": "number", "exclusiveMinimum": 0})",
         {"0.5", "1", "17.0", "0.001"},
         {"0", "0.0", "0.000", "-1"}},
        {R"({"type": "number", "exclusiveMinimum": -2, "exclusiveMaximum": 0})",
         {"-1", "-1.9", "-0.1"},
         {"0", "-2", "-2.0", "0.5", "-0", "-0.0"}},
        {R"({"type": "string"})",
         {R"("")", R"("a b")", R"("\n\t\"\\\/\b\f\r")", R"("\u00e9\uD83D\ude00")", "\"\xC3\xA9\"",
          "\"\xF0\x9F\x98\x80\x7F\"",
          R"("]<]minimax)"
          "\"",
          R"("<mm:think")"},
         {R"(")", R"("a)", "\"\n\"", "\"\t\"", R"("\x")", R"("\ud800")", R"("\udc00")",
          R"("\ud800\u0041")", R"("\u12")", "\"\xC3\"", "\"\xFF\"", "\"\xED\xA0\x80\"",
          "\"\xC0\xAF\"", "\"\xF4\x90\x80\x80\"", R"("a"b)", R"("<mm:think>")",
          R"("]<]minimax[>[")", "\"</mm:\xE2\x80\x8Bthink>\""}},
        {R"({"type": "string", "minLength": 2, "maxLength": 3})",
         {R"("ab")", R"("abc")", "\"\xC3\xA9\xC3\xA9\"", R"("\ud83d\ude00\n")"},
         {R"("")", R"("a")", R"("abcd")", "\"\xC3\xA9\""}},
        {R"({"type": "string", "pattern": "^[A-Z]{2,3}-\\d+(?:\\.[a-f])?$"})",
         {R"("AB-1")", R"("ABC-123.f")"},
         {R"("A-1")", R"("ABCD-1")", R"("AB-")", R"("AB-1.g")", R"("AB-1.")", R"(" AB-1")"}},
        {R"({"type": "string", "pattern": "a+b|^x"})",
         {R"("aab")", R"("..ab.\n")", R"("x")", R"("xyz")",
          "\"\xC3\xA9"
          "ab\""},
         {R"("")", R"("zx")", R"("a")", R"("ab<")"}},
        {R"({"type": "string", "pattern": "^[^e\"]*\\s$"})",
         {R"(" ")", R"("a\n")", "\"\xC3\xA8 \""},
         {R"("e ")", R"("\" ")", R"("a")"}},
        {R"({"enum": ["red", "gr\u00fcn", 5, null, {"a": [1]}]})",
         {R"("red")", "\"gr\xC3\xBCn\"", "5", "null", R"({"a":[1]})"},
         {R"("re")", "red", "55", R"("blue")"}},
        {R"({"enum": ["a", 1], "type": "string"})", {R"("a")"}, {"1"}},
        {R"({"const": "x"})", {R"("x")"}, {R"("y")"}},
        {R"({"type": ["string", "null"]})", {"null", R"("null")"}, {"1"}},
        {R"({"type": "integer", "nullable": true})", {"null", "3"}, {R"("")"}},
        {R"({"type": "array", "items": {"type": "integer"}})",
         {"[]", "[1]", "[1,2]", "[ 1, 2 ]", "[\n  1,\n  2\n]"},
         {"[1,]", "[,1]", "[", "[1", "[1 2]", "[1.5]", "[  1]", "[\n\n1]", "[1 ,2]"}},
        {R"({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3})",
         {"[true,false]", "[true,true,true]"},
         {"[]", "[true]", "[true,true,true,true]"}},
        {R"({"type": "array", "maxItems": 0})", {"[]", "[ ]"}, {"[1]"}},
        {R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}],
             "items": false})",
         {"[]", "[1]", R"([1,"a"])"},
         {R"(["a"])", R"([1,"a",2])", "[1,2]"}},
        {R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}],
             "items": {"type": "null"}, "minItems": 2, "maxItems": 4})",
         {R"([1,"a"])", R"([1,"a",null])", R"([1,"a",null,null])"},
         {"[1]", R"([1,"a",2])", R"([1,"a",null,null,null])"}},
        {R"({"type": "array", "items": [{"type": "integer"}], "minItems": 1,
             "additionalItems": {"type": "null"}})",
         {"[1]", "[1,null]"},
         {"[]", "[null]"}},
        {R"({"properties": {"a": {"type": "integer"}, "b": {"type": "string"},
                            "c": {"type": "null"}}, "required": ["b"]})",
         {R"({"b":""})", R"({"a":1,"b":"x"})", R"({"b":"x","c":null})",
          R"({ "a": 1, "b": "x", "c": null })", "{\n    \"b\": \"x\"\n}"},
         {"{}", R"({"a":1})", R"({"b":"x","a":1})", R"({"b":"","b":""})", R"({"b":"","d":1})",
          R"({"b":"",})", R"({,"b":""})"}},
        {R"({"properties": {"ab": {"type": "integer"}, "ac": {"type": "null"}},
             "additionalProperties": {"type": "boolean"}})",
         {"{}", R"({"ab":1})", R"({"ab":1,"z":true})", R"({"a":true})", R"({"abc":true,"":false})",
          "{\"\xC3\xA9\":true}"},
         {R"({"ab":true})", R"({"z":true,"ab":1})", R"({"z":1})", R"({"\u0061b":true})",
          R"({"ac":true})"}},
        {R"({"type": "object", "additionalProperties": {"type": "integer"}})",
         {"{}", R"({"x":1})", R"({"\u0061 b":1,"c":2})"},
         {R"({"x":"y"})"}},
        {R"({"required": ["n"], "additionalProperties": {"type": "integer"}})",
         {R"({"n":1})", R"({"n":1,"m":2})"},
         {"{}", R"({"m":2})", R"({"n":null})"}},
        {R"({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "null"}}]})",
         {"1", "[null]"},
         {"null", "[1]"}},
        {R"({"properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]},
             {"properties": {"b": {"const": 2}}, "required": ["b"]}]})",
         {R"({"a":1})", R"({"b":2})", R"({"a":1,"b":2})"},
         {"{}", R"({"b":3})"}},
        {R"({"oneOf": [{"properties": {"k": {"const": "x"}, "v": {"type": "integer"}},
                        "required": ["k", "v"]},
                       {"properties": {"k": {"const": "y"}, "v": {"type": "string"}},
                        "required": ["k", "v"]}]})",
         {R"({"k":"x","v":1})", R"({"k":"y","v":"1"})"},
         {R"({"k":"x","v":"1"})", R"({"k":"z","v":1})"}},
        {R"({"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}},
                       {"properties": {"a": {"type": "integer", "minimum": 1},
                                       "b": {"type": "null"}}, "required": ["b"]}]})",
         {R"({"b":null})", R"({"a":2,"b":null})"},
         {R"({"a":0,"b":null})", R"({"a":1.5,"b":null})", R"({"a":2})"}},
        {R"({"$ref": "#/$defs/list", "$defs": {"list": {"anyOf": [{"type": "null"},
             {"type": "object", "properties": {"next": {"$ref": "#/$defs/list"}},
              "required": ["next"]}]}}})",
         {"null", R"({"next":null})", R"({"next":{"next":{"next":null}}})"},
         {"{}", R"({"next":{}})"}},
        {R"({"type": "json_object"})", {"{}", R"({"a":[1,{"b":"c"}]})"}, {"[]", "1"}},
        {"true", {"1", R"([{"a":null}])"}, {"", "[", "tru"}},
        {"{}", {R"("x")", "[[],{}]", "-1.5e3"}, {"{,}"}},
    };
    return all;
}

std::string refusal(const std::string& schema) {
    try {
        constrain_json(vocabulary(), schema, {});
    } catch (const Error& e) {
        CHECK(e.kind() == assay::ErrorKind::Input);
        return e.message();
    }
    return {};
}

} // namespace

TEST_CASE("texts that follow a schema are accepted, and no others") {
    for (const Case& one : cases()) {
        CAPTURE(one.schema);
        auto check = [&](std::string_view text, bool expected) {
            CAPTURE(text);
            auto constraint = constrain_json(vocabulary(), one.schema, {});
            CHECK(follows(*constraint, byte_tokens(text)) == expected);
            if (!assay::utf8_valid(text)) return;
            auto again = constrain_json(vocabulary(), one.schema, {});
            CHECK(follows(*again, tokenizer().encode(text)) == expected);
        };
        for (const char* text : one.accepted) check(text, true);
        for (const char* text : one.rejected) check(text, false);
    }
}

TEST_CASE("the accepted texts are valid JSON by the schema, and the rejected ones often are not") {
    // That the test's own validator tells them apart: rejected texts that it takes differ in
    // layout, order or digits only.
    std::size_t invalid = 0, rejected = 0;
    for (const Case& one : cases()) {
        auto schema = validate::Json::parse(one.schema);
        for (const char* text : one.accepted) {
            CAPTURE(one.schema, text);
            auto value = validate::Json::parse(text, nullptr, false);
            REQUIRE(!value.is_discarded());
            CHECK(validate::valid(value, schema, schema));
        }
        for (const char* text : one.rejected) {
            auto value = validate::Json::parse(text, nullptr, false);
            ++rejected;
            invalid += value.is_discarded() || !validate::valid(value, schema, schema);
        }
    }
    CHECK(invalid * 10 > rejected * 7);
}

TEST_CASE("what cannot be enforced is refused, with keyword and place") {
    std::vector<std::pair<const char*, const char*>> refused{
        {R"({"properties": {"a/b": {"not": {}}}})", "schema/properties/a~1b: not:"},
        {R"({"type": "strin"})", "schema: type: \"strin\" is not a type"},
        {R"({"items": {"multipleOf": 3}})", "schema/items: multipleOf:"},
        {R"({"minimun": 3})", "schema: minimun:"},
        {R"({"type": "number", "minimum": 0.5})", "schema: minimum: only whole bounds"},
        {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})",
         "schema: oneOf: a value may fit"},
        {R"({"oneOf": [{"type": "string"}, {"const": "a"}]})", "schema: oneOf: a value may fit"},
        {R"({"oneOf": [{"type": "integer"}, {"minLength": 2}]})", "schema: oneOf: a value may fit"},
        {R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})", "leads back to itself"},
        {R"({"$ref": "#/$defs/a"})", "schema: $ref: #/$defs/a is not there"},
        {R"({"$ref": "http://x/y"})", "schema: $ref: only places in the same schema"},
        {R"({"anyOf": [{"$ref": "#"}]})", "leads back to itself"},
        {R"({"enum": []})", "schema: enum:"},
        {R"({"enum": [1], "type": "string"})", "schema: enum: no value is of the type"},
        {R"({"enum": ["abc"], "minLength": 5})",
         "schema: minLength: cannot be enforced beside enum"},
        {R"({"enum": ["</mm:think>"]})", "schema: enum: a value with a marker"},
        {R"({"minItems": 3, "maxItems": 2})", "schema: minItems: is larger"},
        {R"({"prefixItems": [{}], "items": false, "minItems": 2})", "schema: minItems:"},
        {R"({"required": ["a"], "additionalProperties": false})", "schema: required: \"a\""},
        {R"({"allOf": [{"type": "string"}, {"type": "null"}]})", "schema/allOf/1: type:"},
        {R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", "schema/allOf/1: pattern:"},
        {R"({"allOf": [{"properties": {"a": {}}, "additionalProperties": false},
                       {"properties": {"b": {}}}]})",
         "schema/allOf/1: additionalProperties:"},
        {R"({"type": "integer", "minimum": 5, "maximum": 4})", "schema: no value fits it"},
        {R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})", "schema: no value fits it"},
        {R"({"properties": {"a": false}})", "schema/properties/a: nothing fits it"},
        {"7", "schema: nothing fits it, or it is no schema"},
        {"{", "schema: it is not JSON"},
        {R"x({"type": "string", "pattern": "(?=a)"})x",
         "schema: pattern: cannot be enforced while"},
        {R"({"type": "string", "pattern": "(a)\\1"})", "schema: pattern: cannot be enforced while"},
        {R"({"type": "string", "pattern": "a", "maxLength": 3})", "schema: pattern: cannot be"},
        {R"({"type": "string", "pattern": "^</mm:think>$"})", "schema: no value fits it"},
        {R"({"uniqueItems": true})", "schema: uniqueItems:"},
    };
    for (auto [schema, message] : refused) {
        CAPTURE(schema);
        std::string said = refusal(schema);
        CHECK_THAT(said, Catch::Contains(message));
    }
}

TEST_CASE("a random completion ends as valid JSON, whatever the tokenizer") {
    TurnOptions options;
    options.string_tokens = 8;
    options.total_tokens = 120;
    std::size_t longest = 0;
    for (const std::string name : {"plain", "slash-nfc"})
        for (const Case& one : cases())
            for (std::uint64_t seed = 1; seed <= 6; ++seed) {
                CAPTURE(name, one.schema, seed);
                auto constraint = constrain_json(vocabulary(name), one.schema, options);
                Dice dice(seed);
                Walk made = walk(tokenizer(name), *constraint, dice, 4000);
                CAPTURE(made.text);
                REQUIRE(made.complete);
                longest = std::max(longest, made.ids.size());
                auto value = validate::Json::parse(made.text, nullptr, false);
                REQUIRE(!value.is_discarded());
                auto schema = validate::Json::parse(one.schema);
                REQUIRE(validate::valid(value, schema, schema));
            }
    CHECK(longest < 400); // at the limit, it takes the shortest way out
}

TEST_CASE("values nest no deeper than 64, and then still end") {
    auto nest = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    auto deep = constrain_json(vocabulary(), "{}", {}),
         deeper = constrain_json(vocabulary(), "{}", {});
    CHECK(follows(*deep, byte_tokens(nest(65)))); // 64 inside the outermost
    CHECK_FALSE(follows(*deeper, byte_tokens(nest(66))));
}

TEST_CASE("the turn begins with the reasoning that the mode allows") {
    const char* schema = R"({"type": "boolean"})";
    auto check = [&](ThinkingMode mode, std::string_view text) {
        TurnOptions options;
        options.thinking = mode;
        auto constraint = constrain_json(vocabulary(), schema, options);
        return follows(*constraint, tokenizer().encode(text));
    };
    CHECK(check(ThinkingMode::Disabled, "true"));
    CHECK_FALSE(check(ThinkingMode::Disabled, "<mm:think>so</mm:think>true"));
    CHECK(check(ThinkingMode::Adaptive, "true"));
    CHECK(check(ThinkingMode::Adaptive, "</mm:think>true"));
    CHECK(check(ThinkingMode::Adaptive, "<mm:think>so < be it</mm:think>true"));
    CHECK_FALSE(check(ThinkingMode::Adaptive, "so</mm:think>true"));
    CHECK(check(ThinkingMode::Enabled, "so\n</mm:think>true"));
    CHECK(check(ThinkingMode::Enabled, "</mm:think>true"));
    CHECK_FALSE(check(ThinkingMode::Enabled, "true"));
    CHECK_FALSE(check(ThinkingMode::Enabled, "a</mm:think>b</mm:think>true"));
}

TEST_CASE("reasoning is brought to its end at its limit") {
    TurnOptions options;
    options.thinking = ThinkingMode::Enabled;
    options.reasoning_tokens = 10;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        auto constraint = constrain_json(vocabulary(), R"({"type": "null"})", options);
        Dice dice(seed);
        Walk made = walk(tokenizer(), *constraint, dice, 1000);
        CAPTURE(made.text);
        REQUIRE(made.complete);
        CHECK(made.ids.size() <= 10 + 3 + 11 + 4); // a character, the marker and null, in bytes
        CHECK(parse_output(made.text, ThinkingMode::Enabled, "").content == "null");
    }
}
