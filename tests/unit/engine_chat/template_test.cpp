// The interpreter against what jinja2 made of the same templates (tests/data/m3/templates), and its
// limits.
#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/engine/template.h"
#include "catch.h"

#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::engine;
using Json = nlohmann::ordered_json;

namespace {

const Path kData = Path(ASSAY_TEST_DATA) / "m3/templates";

Json read_json(const Path& file) {
    return Json::parse(RealFileSystem().read(file));
}

std::string render(const std::string& source, const std::string& variables = "{}",
                   RenderOptions options = {}) {
    return ChatTemplate::compile(source, "t.jinja")->render(variables, options);
}

std::string error_of(const std::string& source, const std::string& variables = "{}",
                     RenderOptions options = {}) {
    try {
        render(source, variables, options);
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::Input);
        return error.message();
    }
    return "no error";
}

std::string variables_of(Json conversation) {
    Json made = {{"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", true}};
    made.update(conversation);
    return made.dump();
}

// jinja2's text, null for an error.
void check(const std::string& key, const std::string& source, const Json& conversation,
           const Json& expected) {
    INFO(key);
    Json got;
    try {
        got = render(source, variables_of(conversation));
    } catch (const Error& error) {
        INFO(error.message());
        CHECK(error.message().find("t.jinja:") == 0);
    }
    CHECK(got == expected.at(key));
}

} // namespace

TEST_CASE("our templates render as jinja2 renders them") {
    Json expected = read_json(kData / "expected.json");
    Json conversations = read_json(kData / "conversations.json");
    for (std::string name : {"loops", "macros", "turns", "whitespace"}) {
        std::string source = RealFileSystem().read(kData / (name + ".jinja"));
        for (const Json& conversation : conversations)
            check(name + ".jinja:" + conversation.at("name").get<std::string>(), source,
                  conversation, expected);
    }
}

TEST_CASE("expressions and tags mean what jinja2 takes them for") {
    Json expected = read_json(kData / "expected.json");
    Json conversation = read_json(kData / "conversations.json").at(0);
    for (const Json& source : read_json(kData / "expressions.json"))
        check(source.get<std::string>(), source.get<std::string>(), conversation, expected);
}

TEST_CASE("numbers come out of JSON as they went in") {
    std::string text = R"([1.0, 1e-07, 1e+22, -0.0, 0.1, 123456789012345678901234567890, -7])";
    CHECK(render("{{ x | tojson }}", R"({"x": )" + text + "}") == text);
    CHECK(render("{{ x }}", R"({"x": 18446744073709551616})") == "18446744073709551616");
    CHECK(error_of("{{ x + 1 }}", R"({"x": 18446744073709551616})") ==
          "t.jinja:1: a whole number beyond 64 bits");
    CHECK(render("{{ x | tojson }}", R"({"x": {"b": 1, "a": 2, "b": 3}})") ==
          R"({"b": 3, "a": 2})");
}

TEST_CASE("variables are text, never template") {
    CHECK(render("{{ x }}", R"({"x": "{{ 1 + 1 }}{% if %}{#"})") == "{{ 1 + 1 }}{% if %}{#");
}

TEST_CASE("the clock is given") {
    RenderOptions options;
    options.now_microseconds = 1'700'000'000'000'000;
    CHECK(render("{{ strftime_now('%Y-%m-%d %H:%M:%S %B') }}", "{}", options) ==
          "2023-11-14 22:13:20 November");
    CHECK(error_of("{{ strftime_now('%Y' * 1000) }}").find("too long") != std::string::npos);
}

TEST_CASE("an error names its line") {
    CHECK(error_of("a\nb\n{{ x.y }}") == "t.jinja:3: 'x' is undefined");
    CHECK(error_of("\n{% nothing %}") == "t.jinja:2: Encountered unknown tag 'nothing'.");
    CHECK(error_of("{{ raise_exception('no roles') }}") == "t.jinja:1: no roles");
    CHECK(error_of("{% macro m() %}\n\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}") ==
          "t.jinja:3: division by zero");
    CHECK(error_of("{% macro m() %}\n\n{% endmacro %}\n{{ m() + 1 }}") ==
          "t.jinja:4: can only concatenate str (not \"int\") to str");
    CHECK(error_of("{% for x in y recursive %}{% endfor %}").find("recursive") !=
          std::string::npos);
    CHECK(error_of("{% include 'x' %}") ==
          "t.jinja:1: the tag 'include' is not supported in chat templates");
    CHECK(error_of("{% set x = [] %}{% set y = x.append(1) %}").find("unsafe") !=
          std::string::npos);
    CHECK(error_of("\xff") == "t.jinja: the template is no valid UTF-8");
    CHECK(error_of("x", "[]") == "variables of t.jinja: not an object");
    CHECK(error_of("x", "{").find("variables of t.jinja: ") == 0);
}

TEST_CASE("endless templates end") {
    std::string loops = "{% for i in range(100000) %}{% for j in range(100000) %}"
                        "{% endfor %}{% endfor %}";
    CHECK(error_of(loops, "{}", {.steps = 100'000}) ==
          "t.jinja:1: the template does not end within 100000 steps");
    CHECK(error_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").find("nested deeper") !=
          std::string::npos);
    CHECK(error_of("{% for i in range(9999) %}{{ 'x' * 1000 }}{% endfor %}", "{}",
                   {.output = 5000}) == "t.jinja:1: a text longer than 5000 bytes");
    CHECK(error_of("{{ 'x' * 9000000000000000000 }}").find("a text longer than") !=
          std::string::npos);
    CHECK(error_of("{{ [1] * 9000000000000000000 }}").find("too long") != std::string::npos);
    CHECK(error_of("{% set ns = namespace(x='ab') %}{% for i in range(60) %}"
                   "{% set ns.x = ns.x + ns.x %}{% endfor %}",
                   "{}", {.values = 1u << 20})
              .find("a text longer than") != std::string::npos);
    CHECK(error_of("{{ '%99999999999s' % 1 }}").find("wider than") != std::string::npos);
    CHECK(error_of(std::string(100'000, '(')).find("the template") == std::string::npos);
    CHECK(error_of("{{ " + std::string(999, '(') + "1" + std::string(999, ')') + " }}")
              .find("nested deeper") != std::string::npos);
    std::string deep = "{{ 1";
    for (int i = 0; i < 50'000; ++i) deep += "+1";
    CHECK(error_of(deep + " }}").find("nested deeper") != std::string::npos);
    CHECK(error_of("x", R"({"x": )" + std::string(5000, '[') + std::string(5000, ']') + "}")
              .find("nested deeper") != std::string::npos);
}

TEST_CASE("values that hold themselves or one another do not hang") {
    CHECK(error_of("{% set ns = namespace() %}{% set ns.me = {'a': ns} %}{{ ns.me }}") ==
          "no error");
    RenderOptions few{.steps = 100'000, .output = 1u << 20, .values = 1u << 20};
    std::string twice = "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
                        "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
    CHECK(error_of(twice + "{{ ns.x == ns.y }}", "{}", few).find("does not end within") !=
          std::string::npos);
    CHECK(error_of(twice + "{{ ns.x }}", "{}", few).find("a text longer than") !=
          std::string::npos);
    CHECK(error_of(twice + "{{ ns.x | tojson | length }}", "{}", few).find("a text longer than") !=
          std::string::npos);
}
