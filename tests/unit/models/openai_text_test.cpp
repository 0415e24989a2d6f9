// Requests and responses of the OpenAI dialect as pure text.
#include "catch.h"
#include "fake_trial.h"
#include "openai_request.h"
#include "openai_response.h"
#include "openai_server.h"

#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::test;
using Json = nlohmann::json;

namespace {

Json body_of(const CompletionRequest& request, OpenAiDialect dialect = {}) {
    static MemoryBlobs blobs;
    if (dialect.model.empty()) dialect.model = "m";
    return Json::parse(openai_request_body(request, dialect, &blobs));
}

Completion streamed(const std::vector<std::string>& chunks, const DeltaSink& sink = {}) {
    OpenAiStream stream;
    for (const std::string& chunk : chunks) stream.feed(chunk, sink);
    return stream.finish();
}

std::string calls(const std::string& pieces) {
    return R"({"choices":[{"index":0,"delta":{"tool_calls":[)" + pieces + "]}}]}";
}

ModelFault fault_of_stream(const std::vector<std::string>& chunks) {
    try {
        streamed(chunks);
    } catch (const ModelError& e) {
        return e.fault();
    }
    FAIL("no fault");
    return ModelFault::Fatal;
}

} // namespace

TEST_CASE("openai request: roles, calls, results, reasoning") {
    CompletionRequest request;
    request.messages = {system_message("be brief"), user_message("hi \xff"),
                        std::make_shared<const Message>(Message{
                            Role::Assistant,
                            {ReasoningPart{"hm", ""}, TextPart{"calling"},
                             ToolCall{"c1", "shell", R"({"command":"ls"})"},
                             ToolCall{"c2", "shell", "{bad"}, ToolCall{"c3", "shell", ""}}}),
                        tool_message({"c1", "shell", {TextPart{"out"}}, false}),
                        std::make_shared<const Message>(Message{
                            Role::Tool,
                            {ToolResult{"c2", "shell", {TextPart{"Error"}}, true},
                             ToolResult{"c3", "shell", {TextPart{"x"}, TextPart{"y"}}, false}}})};
    Json messages = body_of(request)["messages"];
    REQUIRE(messages.size() == 6);
    CHECK(messages[0] == Json({{"role", "system"}, {"content", "be brief"}}));
    CHECK(messages[1]["content"] == "hi \xef\xbf\xbd");
    CHECK(messages[2]["content"] == "calling");
    CHECK(messages[2]["reasoning_content"] == "hm");
    CHECK(messages[2]["tool_calls"][0]["function"]["arguments"] == R"({"command":"ls"})");
    CHECK(messages[2]["tool_calls"][1]["function"]["arguments"] == R"({"malformed":"{bad"})");
    CHECK(messages[2]["tool_calls"][2]["function"]["arguments"] == "{}");
    CHECK(messages[3] == Json({{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "out"}}));
    CHECK(messages[5]["content"] == "xy");
    OpenAiDialect official;
    official.send_reasoning = false;
    CHECK_FALSE(body_of(request, official)["messages"][2].contains("reasoning_content"));
}

TEST_CASE("openai request: images are data URLs, those of results follow the last result") {
    MemoryBlobs blobs;
    BlobRef png = blobs.put("PNG!", "image/png");
    CompletionRequest request;
    request.messages = {
        std::make_shared<const Message>(Message{Role::User, {TextPart{"see"}, ImagePart{png}}}),
        tool_message({"a", "t", {ImagePart{png}}, false}),
        tool_message({"b", "t", {TextPart{"2"}}, false}), user_message("go on")};
    OpenAiDialect dialect;
    dialect.model = "m";
    Json messages = Json::parse(openai_request_body(request, dialect, &blobs))["messages"];
    REQUIRE(messages.size() == 5);
    CHECK(messages[0]["content"][1]["image_url"]["url"] == "data:image/png;base64,UE5HIQ==");
    CHECK(messages[1]["content"] == "[image/png, 4 bytes]");
    CHECK(messages[2]["role"] == "tool");
    CHECK(messages[3]["role"] == "user");
    CHECK(messages[3]["content"][1]["type"] == "image_url");
    CHECK(messages[4]["content"] == "go on");
    CHECK_THROWS_AS(openai_request_body(request, dialect, nullptr), Error);
}

TEST_CASE("openai request: sampling, tools, schema, seed") {
    CompletionRequest request;
    request.messages = {user_message("x")};
    request.tools = {{"t", "does", R"({"type":"object","properties":{}})"}};
    request.sampling.temperature = 0.5;
    request.sampling.top_p = 0.9;
    request.sampling.top_k = 40;
    request.sampling.max_tokens = 77;
    request.sampling.stop = {"END"};
    request.sampling.reasoning_effort = "low";
    request.sampling.response_schema = R"({"type":"object"})";
    Json body = body_of(request);
    CHECK(body["tools"][0]["function"]["parameters"]["type"] == "object");
    CHECK(body["temperature"] == 0.5);
    CHECK(body["top_k"] == 40);
    CHECK(body["max_tokens"] == 77);
    CHECK(body["stop"][0] == "END");
    CHECK(body["reasoning_effort"] == "low");
    CHECK(body["response_format"]["json_schema"]["schema"]["type"] == "object");
    CHECK(body["stream_options"]["include_usage"] == true);
    CHECK(body["seed"].get<std::int64_t>() >= 0);
    OpenAiDialect newer;
    newer.max_completion_tokens = true;
    newer.stream = false;
    newer.top_logprobs = 3;
    Json other = body_of(request, newer);
    CHECK(other["max_completion_tokens"] == 77);
    CHECK_FALSE(other.contains("max_tokens"));
    CHECK_FALSE(other.contains("stream"));
    CHECK(other["top_logprobs"] == 3);
    SeedKey a, b;
    b.turn = 1;
    CHECK(openai_seed(a) == openai_seed(a));
    CHECK(openai_seed(a) != openai_seed(b));
    request.tools[0].schema = "{";
    CHECK_THROWS_AS(body_of(request), ModelError);
}

TEST_CASE("openai stream: text, reasoning, usage, finish") {
    std::string seen;
    Completion c = streamed(
        {R"({"model":"served","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})",
         R"({"choices":[{"index":0,"delta":{"reasoning_content":"think"}}]})",
         R"({"choices":[{"index":0,"delta":{"reasoning":"ing"}}]})", delta("Hel"), delta("lo"),
         R"({"choices":[{"index":1,"delta":{"content":"other choice"}}]})",
         R"({"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":null})",
         usage(100, 60, 7), "[DONE]"},
        [&](const Delta& d) {
            seen += std::string(d.kind == Delta::Kind::Text ? "T" : "R") + std::string(d.text);
        });
    CHECK(c.message.text() == "Hello");
    CHECK(std::get<ReasoningPart>(c.message.parts[0]).text == "thinking");
    CHECK(seen == "RthinkRingTHelTlo");
    CHECK(c.finish == Finish::Length);
    CHECK(c.model == "served");
    CHECK(c.usage.prompt_tokens == 100);
    CHECK(c.usage.cached_tokens == 60);
    CHECK(c.usage.completion_tokens == 7);
}

TEST_CASE("openai stream: tool calls in fragments") {
    Completion c = streamed({
        calls(R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}})"),
        calls(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}})"),
        calls(
            R"({"index":0,"function":{"name":"f","arguments":"{\"x\":"}},{"index":1,"function":{"arguments":":2}"}})"),
        calls(R"({"index":0,"function":{"arguments":"1}"}})"),
        finish("tool_calls"),
    });
    auto list = c.message.tool_calls();
    REQUIRE(list.size() == 2);
    CHECK(list[0]->name == "f");
    CHECK(list[0]->arguments == R"({"x":1})");
    CHECK(list[1]->id == "b");
    CHECK(list[1]->arguments == R"({"y":2})");
    CHECK(c.finish == Finish::ToolCalls);
}

TEST_CASE("openai stream: ids that are missing or doubled, no index, arguments as an object") {
    Completion c = streamed({
        calls(R"({"id":"a","function":{"name":"f","arguments":"{"}})"),
        calls(R"({"id":"a","function":{"arguments":"}"}})"),
        calls(R"({"id":"b","function":{"name":"g","arguments":{"k":[1]}}})"),
        finish("stop"), // although it calls
    });
    auto list = c.message.tool_calls();
    REQUIRE(list.size() == 2);
    CHECK(list[0]->arguments == "{}");
    CHECK(list[1]->arguments == R"({"k":[1]})");
    CHECK(c.finish == Finish::ToolCalls);

    c = streamed({calls(R"({"index":0,"id":"x","function":{"name":"f","arguments":"{}"}},)"
                        R"({"index":1,"id":"x","function":{"name":"f","arguments":"{}"}},)"
                        R"({"index":2,"function":{"name":"f","arguments":"{}"}})"),
                  finish("tool_calls")});
    list = c.message.tool_calls();
    REQUIRE(list.size() == 3);
    CHECK(list[0]->id == "x");
    CHECK(list[1]->id == "x_2");
    CHECK(list[2]->id == "call_3");
}

TEST_CASE("openai stream: what is cut, broken or refused is never a short answer") {
    CHECK(fault_of_stream({delta("half")}) == ModelFault::Retry);
    CHECK(fault_of_stream({delta("half"), "[DONE]"}) == ModelFault::Retry);
    CHECK(fault_of_stream({}) == ModelFault::Retry);
    CHECK(fault_of_stream({"{\"choices\": [garbage"}) == ModelFault::Retry);
    CHECK(fault_of_stream({"[1]"}) == ModelFault::Retry);
    CHECK(fault_of_stream({std::string(100'000, '[')}) == ModelFault::Retry);
    CHECK(fault_of_stream({delta("x"), finish("abort")}) == ModelFault::Retry);
    CHECK(fault_of_stream({finish("content_filter")}) == ModelFault::Refused);
    CHECK(fault_of_stream({R"({"error":{"message":"boom"}})"}) == ModelFault::Retry);
    CHECK(fault_of_stream({R"({"error":{"message":"overloaded","code":503}})"}) ==
          ModelFault::Overload);
    CHECK(fault_of_stream({R"({"error":{"message":"Rate limit reached"}})"}) ==
          ModelFault::Overload);
    CHECK(fault_of_stream({R"({"error":{"message":"m","code":"context_length_exceeded"}})"}) ==
          ModelFault::ContextOverflow);
    // Filtered, but with a beginning: the model's answer.
    CHECK(streamed({delta("x"), finish("content_filter")}).finish == Finish::ContentFilter);
    // Odd types are passed over.
    CHECK(
        streamed(
            {R"({"choices":[5,null,{"delta":7},{"index":0,"delta":{"content":["a",{"text":"b"}],"tool_calls":[1,{}]}}],"usage":{"prompt_tokens":-5,"completion_tokens":"x"}})",
             finish("stop")})
            .message.text() == "b");
}

TEST_CASE("openai: a whole answer") {
    Completion c = parse_openai_response(
        R"({"model":"s","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"r","tool_calls":null},"finish_reason":"stop","logprobs":{"content":[{"token":"token_id:5","logprob":-0.5,"top_logprobs":[{"token":"token_id:6","logprob":-1}]}]}}],"usage":{"prompt_tokens":3,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}}})");
    CHECK(c.message.text() == "hi");
    CHECK(c.usage.reasoning_tokens == 1);
    REQUIRE(c.logprobs.size() == 1);
    CHECK(c.logprobs[0].token == 5);
    CHECK(c.logprobs[0].top[0].first == 6);
    CHECK_THROWS_AS(parse_openai_response("{}"), ModelError);
    CHECK_THROWS_AS(parse_openai_response("<html>"), ModelError);
    CHECK_THROWS_AS(parse_openai_response(R"({"choices":[]})"), ModelError);
    CHECK_THROWS_AS(parse_openai_response(R"({"choices":[{"message":{"content":"x"}}]})"),
                    ModelError);
}

TEST_CASE("openai: errors by status and words") {
    struct Case {
        int status;
        const char* body;
        ModelFault fault;
    };
    const Case cases[] = {
        {429, R"({"error":{"message":"slow down"}})", ModelFault::Overload},
        {429, R"({"error":{"message":"m","code":"insufficient_quota"}})", ModelFault::Fatal},
        {503, "busy", ModelFault::Overload},
        {529, "", ModelFault::Overload},
        {500, "oops", ModelFault::Retry},
        {502, "<html>bad gateway</html>", ModelFault::Retry},
        {504, "", ModelFault::Retry},
        {408, "", ModelFault::Timeout},
        {401, R"({"error":{"message":"Incorrect API key"}})", ModelFault::Auth},
        {403, "", ModelFault::Auth},
        {404, R"({"error":{"message":"The model `x` does not exist"}})", ModelFault::NotFound},
        {400, R"({"error":{"message":"This model's maximum context length is 8192 tokens"}})",
         ModelFault::ContextOverflow},
        {400, R"({"error":{"code":"context_length_exceeded","message":"m"}})",
         ModelFault::ContextOverflow},
        {400, R"({"object":"error","message":"Please reduce the length of the messages"})",
         ModelFault::ContextOverflow},
        {413, R"({"error":"prompt is too long"})", ModelFault::ContextOverflow},
        {400, R"({"error":{"code":"content_filter","message":"m"}})", ModelFault::Refused},
        {400, R"({"error":{"message":"unknown field"}})", ModelFault::BadRequest},
        {422, R"({"detail":"bad"})", ModelFault::BadRequest},
        {402, "pay", ModelFault::Fatal},
        {302, "", ModelFault::Fatal},
        {400, "\xff\xfe", ModelFault::BadRequest},
    };
    for (const Case& one : cases) {
        INFO(one.status << " " << one.body);
        CHECK(openai_error(one.status, one.body, "", "").fault() == one.fault);
    }
    CHECK(openai_error(429, R"({"error":{"message":"slow"}})", "7", "").retry_after_seconds() == 7);
    CHECK(openai_error(429, R"({"error":{"message":"slow"}})", "7", "").message() ==
          "status 429: slow");
}

TEST_CASE("Retry-After: seconds, dates by the server's clock, nonsense") {
    CHECK(parse_retry_after("30", "") == 30);
    CHECK(parse_retry_after(" 1.5 ", "") == 1.5);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:07 GMT") ==
          30);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT") == 0);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", "") == 0); // long ago
    for (const char* bad : {"", "soon", "-5", "1e99", "nan", "Sun, 06 Foo 1994 08:49:37 GMT",
                            "Sun, 31 Feb 2020 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"})
        CHECK_FALSE(parse_retry_after(bad, ""));
    CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
    CHECK(parse_http_date("Tue, 24 Nov 2026 08:00:00 GMT") == 1795507200);
}
