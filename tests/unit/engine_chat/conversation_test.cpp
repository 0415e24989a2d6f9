#include "assay/base/error.h"
#include "assay/engine/conversation.h"
#include "catch.h"

#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::engine;
using Json = nlohmann::ordered_json;

namespace {

std::string variables(const std::string& conversation, bool verbatim = false,
                      const std::string& tokens = "{}") {
    return template_variables(conversation, {"", "t", tokens}, verbatim);
}

std::string error_of(const std::string& conversation) {
    try {
        variables(conversation);
    } catch (const Error& error) {
        return error.message();
    }
    return "no error";
}

const std::string kCall =
    R"({"messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": )"
    R"({"name": "f", "arguments": "{\"z\": 1.0, \"a\": 12345678901234567890123, \"e\": 1e-07}"}}]}]})";
const std::string kImage = R"({"messages": [{"role": "user", "content": [{"type": "image_url", )"
                           R"("image_url": {"url": "data:x"}}, {"type": "video_url"}]}]})";

} // namespace

TEST_CASE("arguments that are text are decoded, order and numbers kept") {
    CHECK(variables(kCall).find(
              R"("arguments": {"z": 1.0, "a": 12345678901234567890123, "e": 1e-07})") !=
          std::string::npos);
    CHECK(variables(kCall, true).find(R"("arguments": "{\"z\": 1.0)") != std::string::npos);
    CHECK(error_of(R"({"messages": [{}, {"tool_calls": [{"name": "f", "arguments": "{"}]}]})")
              .find("arguments of a tool call in message 2: ") == 0);
    CHECK(error_of(R"({"messages": [{"tool_calls": [{"name": "f", "arguments": "[]"}]}]})") ==
          "arguments of a tool call in message 1: not a JSON object");
}

TEST_CASE("pictures and videos get the names that templates know") {
    Json parts = Json::parse(variables(kImage)).at("messages").at(0).at("content");
    CHECK(parts.at(0).at("type") == "image");
    CHECK(parts.at(0).at("image").at("url") == "data:x");
    CHECK(parts.at(1).at("type") == "video");
    CHECK(variables(kImage, true).find(R"("type": "image_url")") != std::string::npos);
}

TEST_CASE("what is not given is passed as transformers does") {
    Json made = Json::parse(
        variables(R"({"messages": []})", false, R"({"bos_token": "<s>", "eos_token": "</s>"})"));
    CHECK(made == Json::parse(R"({"messages": [], "tools": null, "documents": null,
                                  "add_generation_prompt": true, "bos_token": "<s>",
                                  "eos_token": "</s>"})"));
    made = Json::parse(variables(R"({"messages": [], "add_generation_prompt": false, "x": 1})"));
    CHECK(made.at("add_generation_prompt") == false);
    CHECK(made.at("x") == 1);
    CHECK(error_of("{}") == "the conversation: no list \"messages\"");
    CHECK(error_of("[]") == "the conversation: not a JSON object");
}

TEST_CASE("the template is found in a file of its own, else in tokenizer_config.json") {
    TempFolder folder;
    RealFileSystem files;
    CHECK_THROWS_AS(find_template(files, folder.path()), Error);
    files.write(folder.path() / "tokenizer_config.json",
                R"({"chat_template": "old", "bos_token": {"content": "<s>"}, "pad_token": null})");
    TemplateSource source = find_template(files, folder.path());
    CHECK(source.text == "old");
    CHECK(source.special_tokens == R"({"bos_token": "<s>"})");
    files.write(folder.path() / "chat_template.jinja", "new");
    CHECK(find_template(files, folder.path()).text == "new");
}
