// What the model writes, against tests/data/m3/chat: turns written by the template come back
// exactly, malformed ones as decided there, and no way of cutting the text changes anything.
#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/engine/output_parser.h"
#include "catch.h"

#include <nlohmann/json.hpp>

#include <random>

using namespace assay;
using namespace assay::engine;
using Json = nlohmann::ordered_json;

namespace {

const std::string kNs = "]<]minimax[>[";

Json cases() {
    return Json::parse(RealFileSystem().read(Path(ASSAY_TEST_DATA) / "m3/chat/parse_cases.json"));
}

Json decisions() {
    return Json::parse(
        RealFileSystem().read(Path(ASSAY_TEST_DATA) / "m3/chat/parse_decisions.json"));
}

Json calls_of(const ParsedOutput& output) {
    Json calls = Json::array();
    for (const ParsedCall& call : output.calls)
        calls.push_back({{"name", call.name}, {"arguments", Json::parse(call.arguments)}});
    return calls;
}

Json as_json(const ParsedOutput& output) {
    return {
        {"reasoning", output.reasoning}, {"content", output.content}, {"calls", calls_of(output)}};
}

// The sum of the deltas, which must be the result.
ParsedOutput streamed(const std::vector<std::string>& pieces, ThinkingMode mode,
                      const std::string& tools) {
    auto parser = OutputParser::create(mode, tools);
    ParsedOutput sum;
    auto add = [&](const std::vector<OutputDelta>& deltas) {
        for (const OutputDelta& delta : deltas) {
            switch (delta.kind) {
            case OutputDelta::Kind::Reasoning:
                sum.reasoning += delta.text;
                break;
            case OutputDelta::Kind::Content:
                sum.content += delta.text;
                break;
            case OutputDelta::Kind::CallName:
                REQUIRE(delta.call == sum.calls.size());
                sum.calls.push_back({delta.text, ""});
                break;
            case OutputDelta::Kind::CallArguments:
                REQUIRE(delta.call + 1 == sum.calls.size());
                sum.calls.back().arguments += delta.text;
                break;
            }
        }
    };
    for (const std::string& piece : pieces) add(parser->feed(piece));
    add(parser->finish());
    CHECK(as_json(parser->result()) == as_json(sum));
    return sum;
}

void check_splits(const std::string& text, ThinkingMode mode, const std::string& tools) {
    INFO(text);
    Json whole = as_json(parse_output(text, mode, tools));
    std::vector<std::string> bytes;
    for (char c : text) bytes.emplace_back(1, c);
    CHECK(as_json(streamed(bytes, mode, tools)) == whole);
    for (std::size_t at = 0; at <= text.size(); at += 11)
        CHECK(as_json(streamed({text.substr(0, at), text.substr(at)}, mode, tools)) == whole);
    std::mt19937 random(7);
    for (int round = 0; round < 3; ++round) {
        std::vector<std::string> pieces;
        for (std::size_t at = 0, size = 0; at < text.size(); at += size)
            pieces.push_back(text.substr(at, size = 1 + random() % 20));
        CHECK(as_json(streamed(pieces, mode, tools)) == whole);
    }
}

ParsedOutput parse(const std::string& text, ThinkingMode mode = ThinkingMode::Adaptive) {
    static const std::string tools = cases().at("tools").dump();
    check_splits(text, mode, tools);
    return parse_output(text, mode, tools);
}

std::string block(const std::string& inside) {
    return kNs + "<tool_call>" + inside + kNs + "</tool_call>";
}
std::string invoke(const std::string& inside) {
    return kNs + "<invoke name=\"t\">" + inside + kNs + "</invoke>";
}
std::string element(const std::string& name, const std::string& inside) {
    return kNs + "<" + name + ">" + inside + kNs + "</" + name + ">";
}
std::string arguments(const std::string& inside) {
    ParsedOutput output = parse(block(invoke(inside)));
    return output.calls.size() == 1 ? output.calls[0].arguments : "content " + output.content;
}

} // namespace

TEST_CASE("turns that the template wrote come back exactly") {
    Json all = cases();
    std::string tools = all.at("tools").dump();
    for (const Json& one : all.at("round_trip")) {
        std::string text = one.at("text");
        INFO(text);
        ParsedOutput output = parse(text, ThinkingMode::Enabled);
        CHECK(output.reasoning == one.at("reasoning").get<std::string>());
        CHECK(output.content == one.at("content").get<std::string>());
        CHECK(calls_of(output) == one.at("calls"));
        CHECK(as_json(parse(text, ThinkingMode::Adaptive)) == as_json(output));
    }
}

TEST_CASE("malformed and unusual outputs are read as decided") {
    Json views = cases().at("one_parsers_view"), decided = decisions();
    REQUIRE(views.size() == decided.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
        std::string text = views[i].at("text");
        INFO(text);
        ParsedOutput output = parse(text);
        const Json& ours = decided[i];
        CHECK(calls_of(output) == ours.at("calls"));
        CHECK(output.content == ours.value("content", ""));
        bool same = views[i].contains("calls") && views[i].at("calls") == ours.at("calls");
        CHECK(same == !ours.contains("why")); // each difference has its reason
    }
}

TEST_CASE("the thinking mode and the first marker decide what is reasoning") {
    using enum ThinkingMode;
    auto shown = [](const std::string& text, ThinkingMode mode) {
        ParsedOutput output = parse(text, mode);
        return output.reasoning + "|" + output.content;
    };
    CHECK(shown("a</mm:think>b", Enabled) == "a|b");
    CHECK(shown("<mm:think>a</mm:think>b", Enabled) == "a|b");
    CHECK(shown("</mm:think>b", Enabled) == "|b");
    CHECK(shown("never closed", Enabled) == "never closed|");
    CHECK(shown("<mm:think>a</mm:think>b", Adaptive) == "a|b");
    CHECK(shown("\n <mm:think>a</mm:think>b", Adaptive) == "a|b");
    CHECK(shown("</mm:think>b", Adaptive) == "|b");
    CHECK(shown("no marker", Adaptive) == "|no marker");
    CHECK(shown("  \n", Adaptive) == "|  \n");
    CHECK(shown("x<mm:think>y", Adaptive) == "|x<mm:think>y");
    CHECK(shown("b", Disabled) == "|b");
    CHECK(shown("<mm:think>a</mm:think>b", Disabled) == "a|b");
    CHECK(shown("a</mm:think>b</mm:think>c</mm:think>", Enabled) == "a|bc");
    CHECK(shown("a<mm:think>b</mm:think>", Enabled) == "a<mm:think>b|");
    CHECK(shown("a </mm:thin> <b></mm:think", Enabled) == "a </mm:thin> <b></mm:think|");
    CHECK(shown("a" + block(invoke("")) + "</mm:think>b", Enabled) ==
          "a" + block(invoke("")) + "|b");
}

TEST_CASE("zero-width characters inside a marker are seen through") {
    ParsedOutput output = parse("<mm:\u200bthi\u200c\u200dnk>a</mm\ufeff:think>b\u200bc");
    CHECK(output.reasoning == "a");
    CHECK(output.content == "b\u200bc");
    std::string many = "</mm:";
    for (int i = 0; i < 9; ++i) many += "\u200b";
    CHECK(parse(many + "think>").content == many + "think>");
    CHECK(parse(block(invoke(element("i", "3"))).insert(3, "\u200b")).calls.size() == 1);
}

TEST_CASE("text that only begins like a marker is text") {
    for (std::string text : {"]", "]<]", "]<]minimax[>[", "a ]<]mini b", "]<]]<]minimax[>[x", "<",
                             "</mm:", "x < y <mm", "]<]minimax[>[ <tool_cal"})
        CHECK(parse("_" + text).content == "_" + text);
    CHECK(parse("]<" + block(invoke(""))).content == "]<");
    CHECK(parse("]<" + block(invoke(""))).calls.size() == 1);
}

TEST_CASE("types come from the schema") {
    CHECK(arguments(element("i", " 12 ") + element("f", "-1.50")) == R"({"i": 12, "f": -1.50})");
    CHECK(arguments(element("f", "1e400") + element("i", "007")) ==
          R"({"f": "1e400", "i": "007"})");
    CHECK(arguments(element("i", "123456789012345678901234567890")) ==
          R"({"i": 123456789012345678901234567890})");
    CHECK(arguments(element("b", "FALSE")) == R"({"b": false})");
    CHECK(arguments(element("ni", "")) == R"({"ni": null})");
    CHECK(arguments(element("i", "")) == R"({"i": ""})");
    CHECK(arguments(element("e", "z")) == R"({"e": "z"})");
    CHECK(arguments(element("ii", "1") + element("ii", "2")) == R"({"ii": [1, 2]})");
    CHECK(arguments(element("ii", element("item", "1")) + element("ii", element("item", "2"))) ==
          R"({"ii": [1, 2]})");
    CHECK(arguments(element("m", element("x y", "5"))) == R"({"m": {"x y": 5}})");
    CHECK(arguments(element("s", "a " + kNs + " b")) == "{\"s\": \"a " + kNs + " b\"}");
    CHECK(arguments(element("s", "bad \xff")) == "{\"s\": \"bad \xef\xbf\xbd\"}");
}

TEST_CASE("a schema may be split over references and unions") {
    std::string tools = R"([{"name": "t", "parameters": {"$defs": {"n": {"type": "integer"},
        "loop": {"$ref": "#/$defs/loop"}}, "properties": {"a": {"$ref": "#/$defs/n"},
        "b": {"oneOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/n"}}]},
        "c": {"$ref": "#/$defs/loop"}, "d": {"enum": [1, 2]}}}}])";
    ParsedOutput output =
        parse_output(block(invoke(element("a", "1") + element("b", element("item", "2")) +
                                  element("c", "3") + element("d", "2"))),
                     ThinkingMode::Adaptive, tools);
    REQUIRE(output.calls.size() == 1);
    CHECK(output.calls[0].arguments == R"({"a": 1, "b": [2], "c": "3", "d": 2})");
}

TEST_CASE("tags that are missing are found by the schema") {
    CHECK(arguments("v" + kNs + "</s>" + element("i", "3")) == R"({"s": "v", "i": 3})");
    CHECK(arguments(kNs + "<s>v" + element("i", "3")) == R"({"s": "v", "i": 3})");
    CHECK(arguments(kNs + "<o>" + kNs + "<k>v" + kNs + "</o>") == R"({"o": {"k": "v"}})");
    CHECK(arguments(kNs + "<s>v") == R"({"s": "v"})");
    ParsedOutput output = parse(kNs + "invoke name=\"t\">" + element("i", "3") + kNs + "</invoke>");
    REQUIRE(output.calls.size() == 1);
    CHECK(output.calls[0].arguments == R"({"i": 3})");
}

TEST_CASE("earlier calls outlive a malformed one, which becomes content") {
    std::string good = invoke(element("i", "1"));
    std::string bad = kNs + "<invoke>" + element("i", "2") + kNs + "</invoke>";
    ParsedOutput output = parse("x" + kNs + "<tool_call>" + good + "\n" + bad + good);
    CHECK(output.calls.size() == 1);
    CHECK(output.content == "x" + bad + good);
    output = parse(kNs + "<tool_call>" + good + " stray " + good);
    CHECK(output.calls.size() == 1);
    CHECK(output.content == "stray " + good);
    output = parse(kNs + "<tool_call>" + good + kNs + "<invoke name=\"t\">" + kNs + "<s>cut");
    CHECK(output.calls.size() == 1);
    CHECK(output.content == kNs + "<invoke name=\"t\">" + kNs + "<s>cut");
}

TEST_CASE("a further block is read, text between is dropped") {
    ParsedOutput output = parse("a" + block(invoke("")) + "b" + block(invoke("")) + "c");
    CHECK(output.calls.size() == 2);
    CHECK(output.content == "a");
}

TEST_CASE("nesting, calls and sizes are bounded") {
    auto nested = [](int depth) {
        std::string text;
        for (int i = 0; i < depth; ++i) text += kNs + "<k>";
        return block(invoke(text));
    };
    std::string tools = "[]";
    CHECK(parse_output(nested(128), ThinkingMode::Adaptive, tools).calls.size() == 1);
    CHECK(parse_output(nested(129), ThinkingMode::Adaptive, tools).calls.empty());
    std::string many;
    for (int i = 0; i < 1025; ++i) many += invoke("");
    ParsedOutput output = parse_output(block(many), ThinkingMode::Adaptive, tools);
    CHECK(output.calls.size() == 1024);
    CHECK(output.content == invoke("") + kNs + "</tool_call>");
    std::string large = block(invoke(element("s", std::string(17u << 20, 'x'))));
    output = parse_output(large, ThinkingMode::Adaptive, tools);
    CHECK(output.calls.empty());
    CHECK(output.content == large.substr(kNs.size() + 11));
    CHECK_THROWS_AS(OutputParser::create(ThinkingMode::Adaptive, "{}"), Error);
}

TEST_CASE("the ids are kept as they came") {
    auto parser = OutputParser::create(ThinkingMode::Adaptive, "");
    std::vector<std::int32_t> first{200059, 5}, second{200060};
    parser->feed("<mm:think>a", first);
    parser->feed("</mm:think>", second);
    CHECK(parser->ids() == std::vector<std::int32_t>{200059, 5, 200060});
}
