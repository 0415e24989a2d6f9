// assay engine render and parse: what users see.
#include "binary.h"

using namespace assay;
using namespace assay::test;

namespace {

const std::string kTemplate =
    "{% for m in messages %}<{{ m.role }}>{% for p in m.content %}[{{ p.type }}]{% endfor %}"
    "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}\n"
    "{% endfor %}{{ thinking_mode }}{% if add_generation_prompt %}<ai>{% endif %}\n";
const std::string kConversation =
    R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1.0}"}}]}],
        "thinking_mode": "enabled"})";

} // namespace

TEST_CASE("a conversation becomes a prompt, to the byte") {
    Binary assay;
    assay.write("c.json", kConversation);
    assay.write("chat_template.jinja", kTemplate);
    std::vector<std::string> words = {"engine", "render", ".", "--conversation", "c.json"};
    CommandResult result = assay(words);
    CHECK(result.exit.code == 0);
    CHECK(result.out == "<user>[image]<assistant>{\"a\": 1.0}enabled<ai>");
    words.emplace_back("--verbatim");
    CHECK(assay(words).out == "<user>[image_url]<assistant>\"{\\\"a\\\": 1.0}\"enabled<ai>");
    assay.write("other.jinja", "\n{{ messages[0].role.nothing.more }}");
    words.insert(words.end(), {"--template", "other.jinja"});
    result = assay(words);
    CHECK(result.exit.code == 64);
    CHECK(result.out.empty());
    CHECK_THAT(result.err,
               Catch::Contains("other.jinja:2: 'str object' has no attribute 'nothing'"));
}

TEST_CASE("a folder without a template says what to do") {
    Binary assay;
    assay.write("c.json", kConversation);
    CommandResult result = assay({"engine", "render", ".", "--conversation", "c.json"});
    CHECK(result.exit.code == 64);
    CHECK_THAT(result.err,
               Catch::Contains("no chat_template.jinja") && Catch::Contains("--template"));
}

TEST_CASE("a model's text becomes reasoning, content and calls") {
    Binary assay;
    assay.write("tools.json", R"([{"type": "function", "function": {"name": "t", "parameters":
        {"type": "object", "properties": {"i": {"type": "integer"}}}}}])");
    std::vector<std::string> words = {"engine", "parse", ".", "--tools", "tools.json"};
    std::string text = "<mm:think>why</mm:think>so ]<]minimax[>[<tool_call>]<]minimax[>["
                       "<invoke name=\"t\">]<]minimax[>[<i>3]<]minimax[>[</i>]<]minimax[>["
                       "</invoke>]<]minimax[>[</tool_call>";
    CHECK(assay(words, text).out ==
          "{\"reasoning\": \"why\", \"content\": \"so \", \"tool_calls\": "
          "[{\"name\": \"t\", \"arguments\": {\"i\": 3}}]}\n");
    words.insert(words.end(), {"--thinking-mode", "enabled"});
    CHECK(assay(words, "a</mm:think>b").out ==
          "{\"reasoning\": \"a\", \"content\": \"b\", \"tool_calls\": []}\n");
    words.back() = "sometimes";
    CHECK(assay(words, "").exit.code == 64);
    assay.write("tools.json", "{}");
    CommandResult result = assay({"engine", "parse", ".", "--tools", "tools.json"}, "");
    CHECK(result.exit.code == 64);
    CHECK_THAT(result.err, Catch::Contains("tools: not a JSON array"));
}
