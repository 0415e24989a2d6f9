// Request bodies of both protocols, as text: what is understood, and what is refused by name.
#include "anthropic_request.h"
#include "catch.h"
#include "conversation_memory.h"
#include "fake_trial.h"
#include "fields.h"
#include "openai_request.h"

using namespace assay;
using namespace assay::serve;
using namespace assay::test;

namespace {

const std::string kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6"
    "kgAAAABJRU5ErkJggg==";

RequestLimits with_images() {
    RequestLimits limits;
    limits.images = true;
    return limits;
}

ApiRequest chat(const Json& body) {
    MemoryBlobs blobs;
    return parse_chat_request(body.dump(), with_images(), blobs);
}
ApiRequest messages(const Json& body) {
    MemoryBlobs blobs;
    return parse_messages_request(body.dump(), with_images(), blobs);
}

// The parameter that the error names.
template<class Parse>
std::string refused(Parse parse, const Json& body) {
    try {
        parse(body);
    } catch (const ApiError& e) {
        CHECK(status_of(e.fault(), Protocol::OpenAi) == 400);
        INFO(e.what());
        CHECK_THAT(e.what(), Catch::Contains(e.parameter()));
        return e.parameter();
    }
    return "(taken)";
}

Json small_chat(const Json& more = Json::object()) {
    Json body = {{"model", "m"},
                 {"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}};
    body.update(more);
    return body;
}
Json small_messages(const Json& more = Json::object()) {
    Json body = small_chat();
    body["max_tokens"] = 10;
    body.update(more);
    return body;
}

const Json kTool = {
    {"type", "function"},
    {"function",
     {{"name", "add"},
      {"description", "adds"},
      {"parameters", {{"type", "object"}, {"properties", {{"b", {}}, {"a", {}}}}}}}}};

} // namespace

TEST_CASE("a chat request with all that is understood") {
    Json body =
        small_chat({{"temperature", 0.5},
                    {"top_p", 0.9},
                    {"top_k", 40},
                    {"min_p", 0.1},
                    {"presence_penalty", 1},
                    {"frequency_penalty", -1},
                    {"repetition_penalty", 1.1},
                    {"max_tokens", 5},
                    {"max_completion_tokens", 7},
                    {"seed", -1},
                    {"stop", "END"},
                    {"logprobs", true},
                    {"top_logprobs", 3},
                    {"stream", true},
                    {"stream_options", {{"include_usage", true}}},
                    {"tools", Json::array({kTool})},
                    {"tool_choice", {{"type", "function"}, {"function", {{"name", "add"}}}}},
                    {"response_format",
                     {{"type", "json_schema"},
                      {"json_schema", {{"name", "x"}, {"schema", {{"z", 1}, {"a", 2}}}}}}},
                    {"reasoning_effort", "low"},
                    {"n", 1},
                    {"user", "me"},
                    {"metadata", {{"a", "b"}}},
                    {"store", false},
                    {"logit_bias", nullptr}});
    ApiRequest request = chat(body);
    const Sampling& s = request.sampling;
    CHECK(s.temperature == 0.5);
    CHECK(s.top_k == 40);
    CHECK(s.min_p == 0.1);
    CHECK(s.presence_penalty == 1);
    CHECK(s.frequency_penalty == -1);
    CHECK(s.repetition_penalty == 1.1);
    CHECK(s.max_tokens == 7);
    CHECK(request.seed == 0xffff'ffff'ffff'ffff);
    CHECK(s.stop == std::vector<std::string>{"END"});
    CHECK(s.top_logprobs == 3);
    CHECK(request.stream);
    CHECK(request.include_usage);
    CHECK(s.tool_choice->kind == ToolChoice::Kind::Named);
    CHECK(s.tool_choice->name == "add");
    CHECK(s.response_schema == R"({"z":1,"a":2})"); // in the client's order
    CHECK(s.reasoning_effort == "low");
    REQUIRE(request.tools.size() == 1);
    CHECK(request.tools[0].schema == R"({"type":"object","properties":{"b":null,"a":null}})");
}

TEST_CASE("a conversation of chat messages") {
    Json call = {{"id", "c1"},
                 {"type", "function"},
                 {"function", {{"name", "add"}, {"arguments", "{\"a\": 1"}}}};
    Json body = small_chat();
    body["messages"] = Json::array(
        {{{"role", "developer"}, {"content", "be kind"}},
         {{"role", "user"},
          {"content", Json::array({{{"type", "text"}, {"text", "look"}},
                                   {{"type", "image_url"},
                                    {"image_url", {{"url", "data:image/png;base64," + kPng}}}}})}},
         {{"role", "assistant"},
          {"content", nullptr},
          {"reasoning_content", "hm"},
          {"tool_calls", Json::array({call})}},
         {{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "2"}}});
    auto list = chat(body).messages;
    REQUIRE(list.size() == 4);
    CHECK(list[0].role == Role::System);
    CHECK(std::get<ImagePart>(list[1].parts.at(1)).blob.media_type == "image/png");
    CHECK(std::get<ReasoningPart>(list[2].parts.at(0)).text == "hm");
    CHECK(list[2].tool_calls().at(0)->arguments == "{\"a\": 1"); // malformed, and kept so
    const auto& result = std::get<ToolResult>(list[3].parts.at(0));
    CHECK(result.call_id == "c1");
    CHECK(result.name == "add");
}

TEST_CASE("chat parameters that are wrong or not known are named") {
    auto bad = [](const Json& more) { return refused(chat, small_chat(more)); };
    CHECK(bad({{"temperature", 3}}) == "temperature");
    CHECK(bad({{"temperature", "hot"}}) == "temperature");
    CHECK(bad({{"top_p", 1.5}}) == "top_p");
    CHECK(bad({{"max_tokens", 0}}) == "max_tokens");
    CHECK(bad({{"max_tokens", 1e30}}) == "max_tokens");
    CHECK(bad({{"n", 2}}) == "n");
    CHECK(bad({{"logit_bias", {{"50256", -100}}}}) == "logit_bias");
    CHECK(bad({{"top_logprobs", 2}}) == "top_logprobs");
    CHECK(bad({{"stop", Json::array({""})}}) == "stop");
    CHECK(bad({{"stream_options", {{"include_usage", true}}}}) == "stream_options");
    CHECK(bad({{"web_search_options", Json::object()}}) == "web_search_options");
    CHECK(bad({{"typo", 1}}) == "typo");
    CHECK(bad({{"typo", nullptr}}) == "(taken)");
    CHECK(bad({{"tools", Json::array({kTool, kTool})}}) == "tools[1]");
    CHECK(bad({{"tool_choice", "required"}}) == "tool_choice");
    CHECK(bad({{"tools", Json::array({kTool})}, {"parallel_tool_calls", false}}) ==
          "parallel_tool_calls");
    CHECK(bad({{"messages", Json::array()}}) == "messages");
    CHECK(bad({{"messages", Json::array({{{"role", "wizard"}, {"content", ""}}})}}) ==
          "messages[0].role");
    CHECK(bad({{"response_format", {{"type", "yaml"}}}}) == "response_format.type");
    auto image = [&](const std::string& url) {
        return bad(
            {{"messages",
              Json::array({{{"role", "user"},
                            {"content", Json::array({{{"type", "image_url"},
                                                      {"image_url", {{"url", url}}}}})}}})}});
    };
    const std::string place = "messages[0].content[0].image_url.url";
    CHECK(image("http://127.0.0.1/x.png") == place);
    CHECK(image("data:image/png;base64,!!!!") == place);
    CHECK(image("data:image/png;base64,AAAA") == place); // no image
    CHECK(image("data:image/png;base64," + kPng) == "(taken)");
}

TEST_CASE("bodies that are no request") {
    MemoryBlobs blobs;
    for (std::string body :
         {std::string(), std::string("{"), std::string("[]"), std::string("\"\xff\""),
          std::string(5000, '['), std::string("{\"model\":1}")}) {
        INFO(body.substr(0, 40));
        CHECK_THROWS_AS(parse_chat_request(body, {}, blobs), ApiError);
        CHECK_THROWS_AS(parse_completions_request(body, {}), ApiError);
        CHECK_THROWS_AS(parse_messages_request(body, {}, blobs), ApiError);
    }
}

TEST_CASE("completions: prompts, and what is refused") {
    auto parse = [](const Json& body) { return parse_completions_request(body.dump(), {}); };
    Json body = {{"model", "m"}, {"prompt", Json::array({"a", "b"})}, {"logprobs", 2}};
    ApiRequest request = parse(body);
    CHECK(request.prompts == std::vector<std::string>{"a", "b"});
    CHECK(request.sampling.max_tokens == 16);
    CHECK(request.sampling.top_logprobs == 2);
    body["echo"] = true;
    CHECK(refused(parse, body) == "echo");
    body = {{"model", "m"}, {"prompt", Json::array({1, 2})}};
    CHECK(refused(parse, body) == "prompt");
}

TEST_CASE("an Anthropic conversation") {
    Json body = small_messages(
        {{"system", Json::array({{{"type", "text"},
                                  {"text", "be kind"},
                                  {"cache_control", {{"type", "ephemeral"}}}}})},
         {"thinking", {{"type", "enabled"}, {"budget_tokens", 1024}}},
         {"stop_sequences", Json::array({"END"})},
         {"tools", Json::array({{{"name", "add"}, {"input_schema", {{"type", "object"}}}}})},
         {"tool_choice", {{"type", "any"}}}});
    body["messages"] = Json::array(
        {{{"role", "user"}, {"content", "hi"}},
         {{"role", "assistant"},
          {"content",
           Json::array(
               {{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "s"}},
                {{"type", "text"}, {"text", "I add"}},
                {{"type", "tool_use"}, {"id", "t1"}, {"name", "add"}, {"input", {{"a", 1}}}}})}},
         {{"role", "user"},
          {"content", Json::array({{{"type", "tool_result"},
                                    {"tool_use_id", "t1"},
                                    {"is_error", true},
                                    {"content", Json::array({{{"type", "text"}, {"text", "2"}},
                                                             {{"type", "image"},
                                                              {"source",
                                                               {{"type", "base64"},
                                                                {"media_type", "image/png"},
                                                                {"data", kPng}}}}})}},
                                   {{"type", "text"}, {"text", "go on"}}})}}});
    ApiRequest request = messages(body);
    CHECK(request.sampling.stop == std::vector<std::string>{"END"});
    CHECK(request.sampling.tool_choice->kind == ToolChoice::Kind::Required);
    REQUIRE(request.messages.size() == 5);
    CHECK(request.messages[0].role == Role::System);
    CHECK(std::get<ReasoningPart>(request.messages[2].parts.at(0)).signature == "s");
    CHECK(request.messages[2].tool_calls().at(0)->arguments == R"({"a":1})");
    CHECK(request.messages[3].role == Role::Tool);
    const auto& result = std::get<ToolResult>(request.messages[3].parts.at(0));
    CHECK(result.is_error);
    CHECK(result.name == "add");
    CHECK(result.parts.size() == 2);
    CHECK(request.messages[4].text() == "go on");
}

TEST_CASE("Anthropic parameters that are wrong or not known are named") {
    auto bad = [](const Json& more) { return refused(messages, small_messages(more)); };
    CHECK(refused(messages, small_chat()) == "max_tokens");
    CHECK(bad({{"temperature", 2}}) == "temperature");
    CHECK(bad({{"container", "x"}}) == "container");
    CHECK(bad({{"metadata", {{"user_id", "x"}}}}) == "(taken)");
    CHECK(bad({{"tools", Json::array({{{"type", "web_search_20250305"},
                                       {"name", "web_search"}}})}}) == "tools[0].type");
    CHECK(bad({{"messages", Json::array({{{"role", "assistant"}, {"content", "{"}}})}}) ==
          "messages");
    CHECK(
        bad({{"messages", Json::array({{{"role", "user"},
                                        {"content", Json::array({{{"type", "document"}}})}}})}}) ==
        "messages[0].content[0].type");
}

TEST_CASE("what a client sends again is the same message") {
    ConversationMemory memory;
    auto turn = [&](std::vector<Message> list) { return memory.recognise(std::move(list)); };
    Message question{Role::User, {TextPart{"add"}}};
    auto first = turn({question});
    Message answer{Role::Assistant,
                   {ReasoningPart{"hm", {}}, TextPart{"I "}, TextPart{"add"},
                    ToolCall{"c1", "add", "{ \"a\" : 1 }"}}};
    memory.answered(answer);
    // As a client's library writes it.
    Message echo{Role::Assistant,
                 {ReasoningPart{"hm", {}}, TextPart{"I add"}, ToolCall{"c1", "add", "{\"a\":1}"}}};
    auto second = turn({question, echo});
    CHECK(second[0] == first[0]);
    CHECK(to_json(*second[1]) == to_json(answer));
    // Without its reasoning it is another message; the call is the model's own.
    Message bare{Role::Assistant, {TextPart{"I add"}, ToolCall{"c1", "add", "{\"a\":1}"}}};
    auto third = turn({question, bare});
    CHECK(third[1] != second[1]);
    CHECK(third[1]->tool_calls().at(0)->arguments == "{ \"a\" : 1 }");
    // Another argument is not the model's.
    Message other{Role::Assistant, {TextPart{"I add"}, ToolCall{"c1", "add", "{\"a\":2}"}}};
    CHECK(turn({question, other})[1]->tool_calls().at(0)->arguments == "{\"a\":2}");
    ConversationMemory small(1);
    CHECK(small.recognise({question})[0] != nullptr);
}
