// The server over real sockets, with a model that does as it is told.
#include "assay/io/fd_stream.h"
#include "assay/net/http_client.h"
#include "assay/serve/model_server.h"
#include "assay/serve/recent_blobs.h"
#include "catch.h"
#include "fake_trial.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <condition_variable>
#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

namespace {

Cancel patience() {
    return Cancel().child(Cause::Deadline, 60s, "test");
}

// Streams pieces, may wait until it is cancelled, may count who runs beside it.
class PieceModel final : public Model {
  public:
    std::string name() const override { return "pieces"; }
    ModelCapabilities capabilities() const override {
        return {true, true, true, true, false, true, std::nullopt};
    }
    std::string connection_key() const override { return {}; }
    std::optional<std::string> token_bytes(std::int32_t token) const override {
        if (token < 0) return std::nullopt;
        return token == 1 ? "\xf0\x9f" : "tok" + std::to_string(token);
    }
    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        {
            std::lock_guard lock(mutex);
            requests.push_back(request);
        }
        int now = ++running;
        most = std::max(most.load(), now);
        struct Leave {
            std::atomic<int>& count;
            ~Leave() { --count; }
        } leave{running};
        if (fault) throw ModelError(*fault, "planned");
        if (sink && !answer.message.text().empty())
            for (char letter : answer.message.text()) {
                cancel.check();
                sink({Delta::Kind::Text, std::string_view(&letter, 1)});
            }
        if (hang && !cancel.sleep_for(60s)) {
            cancelled = true;
            cancel.check();
        }
        if (pause) std::this_thread::sleep_for(50ms);
        return answer;
    }

    Completion answer;
    std::optional<ModelFault> fault;
    bool hang = false, pause = false;
    std::atomic<bool> cancelled = false;
    std::atomic<int> running = 0, most = 0;
    std::mutex mutex;
    std::vector<CompletionRequest> requests;
};

Completion say(std::vector<ContentPart> parts, Finish finish = Finish::Stop) {
    Completion c;
    c.message = {Role::Assistant, std::move(parts)};
    c.finish = finish;
    c.usage.prompt_tokens = 10;
    c.usage.cached_tokens = 4;
    c.usage.completion_tokens = 5;
    return c;
}

struct Served {
    explicit Served(ServeOptions options = {})
        : server(model, blobs, watched(std::move(options)))
        , http(listen_loopback(), server.handler(), server.http_options()) {
        model.answer = say({TextPart{"hello"}});
    }
    ServeOptions watched(ServeOptions options) {
        options.on_request = [this](const ServedRequest& request) {
            std::lock_guard lock(mutex);
            log.push_back(request);
        };
        return options;
    }
    HttpResponse send(const std::string& path, const std::string& body, HttpHeaders headers = {}) {
        HttpRequest request;
        request.method = body.empty() ? "GET" : "POST";
        request.headers = std::move(headers);
        request.body = body;
        return HttpClient().send("http://127.0.0.1:" + std::to_string(http.port()) + path,
                                 std::move(request), {}, patience());
    }
    Json json(const std::string& path, const Json& body) {
        HttpResponse response = send(path, body.dump());
        INFO(response.body);
        CHECK(response.status == 200);
        return Json::parse(response.body);
    }
    std::vector<SseEvent> events(const std::string& path, const Json& body) {
        HttpResponse response = send(path, body.dump());
        INFO(response.body);
        CHECK(response.headers.get("Content-Type") == "text/event-stream");
        return SseParser().feed(response.body);
    }

    PieceModel model;
    RecentBlobs blobs;
    std::mutex mutex;
    std::vector<ServedRequest> log;
    ModelServer server;
    HttpServer http;
};

Json chat(const Json& more = Json::object()) {
    Json body = {{"model", "pieces"},
                 {"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}};
    body.update(more);
    return body;
}
Json anthropic(Json more = Json::object()) {
    more["max_tokens"] = 10;
    return chat(more);
}

} // namespace

TEST_CASE("a chat answer, whole") {
    Served served;
    served.model.answer =
        say({ReasoningPart{"hm", {}}, TextPart{"hello"}, ToolCall{"c1", "add", "{\"a\": 1}"}},
            Finish::ToolCalls);
    Json json = served.json("/v1/chat/completions", chat());
    Json& choice = json["choices"][0];
    CHECK(json["object"] == "chat.completion");
    CHECK(choice["message"]["content"] == "hello");
    CHECK(choice["message"]["reasoning_content"] == "hm");
    CHECK(choice["message"]["tool_calls"][0]["function"]["arguments"] == "{\"a\": 1}");
    CHECK(choice["finish_reason"] == "tool_calls");
    CHECK(json["usage"]["prompt_tokens_details"]["cached_tokens"] == 4);
    CHECK(served.log.at(0).status == 200);
    CHECK(served.log.at(0).usage.prompt_tokens == 10);
}

TEST_CASE("a chat answer, streamed") {
    Served served;
    auto events =
        served.events("/v1/chat/completions",
                      chat({{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
    std::string text;
    REQUIRE(events.size() > 5);
    CHECK(events.back().data == "[DONE]");
    events.pop_back();
    CHECK(Json::parse(events.back().data)["usage"]["completion_tokens"] == 5);
    CHECK(Json::parse(events.back().data)["choices"].empty());
    events.pop_back();
    CHECK(Json::parse(events.front().data)["choices"][0]["delta"]["role"] == "assistant");
    CHECK(Json::parse(events.back().data)["choices"][0]["finish_reason"] == "stop");
    for (const SseEvent& event : events)
        text += Json::parse(event.data)["choices"][0]["delta"].value("content", "");
    CHECK(text == "hello");
}

TEST_CASE("log-probabilities carry text and bytes of tokens") {
    Served served;
    served.model.answer.logprobs = {{1, -0.5F, {{1, -0.5F}, {7, -2.0F}}}, {-1, -1.0F, {}}};
    Json json =
        served.json("/v1/chat/completions", chat({{"logprobs", true}, {"top_logprobs", 2}}));
    Json content = json["choices"][0]["logprobs"]["content"];
    REQUIRE(content.size() == 2);
    CHECK(content[0]["bytes"] == Json::array({0xf0, 0x9f}));
    CHECK(content[0]["top_logprobs"][1]["token"] == "tok7");
    CHECK(content[1]["token"] == "token_id:-1");
    CHECK(content[1]["bytes"].is_null());
    CHECK(served.model.requests.at(0).sampling.top_logprobs == 2);
}

TEST_CASE("completions of several prompts") {
    Served served;
    Json body = {{"model", "pieces"}, {"prompt", Json::array({"a", "b"})}, {"seed", 3}};
    Json json = served.json("/v1/completions", body);
    CHECK(json["choices"].size() == 2);
    CHECK(json["choices"][1]["text"] == "hello");
    CHECK(json["usage"]["total_tokens"] == 30);
    CHECK(served.model.requests.at(1).raw_prompt == "b");
    CHECK(served.model.requests.at(1).seed.seed == 3);
    CHECK(served.model.requests.at(0).seed.text() != served.model.requests.at(1).seed.text());
}

TEST_CASE("the same request with a seed has the same key, without one it has not") {
    Served served;
    for (int i = 0; i < 2; ++i) served.json("/v1/chat/completions", chat({{"seed", 5}}));
    for (int i = 0; i < 2; ++i) served.json("/v1/chat/completions", chat());
    auto key = [&](std::size_t i) { return served.model.requests.at(i).seed.text(); };
    CHECK(key(0) == key(1));
    CHECK(key(2) != key(3));
    CHECK(served.model.requests[0].messages[0] == served.model.requests[3].messages[0]);
}

TEST_CASE("an Anthropic answer, whole and streamed") {
    Served served;
    served.model.answer =
        say({ReasoningPart{"hm", "sig"}, TextPart{"hello"}, ToolCall{"t1", "add", "{\"a\": 1}"}},
            Finish::ToolCalls);
    Json json = served.json("/v1/messages", anthropic());
    CHECK(json["content"][0]["thinking"] == "hm");
    CHECK(json["content"][1]["text"] == "hello");
    CHECK(json["content"][2]["input"]["a"] == 1);
    CHECK(json["stop_reason"] == "tool_use");
    CHECK(json["usage"]["input_tokens"] == 6);
    CHECK(json["usage"]["cache_read_input_tokens"] == 4);

    served.model.answer = say({TextPart{"hello"}, ToolCall{"t1", "add", "oops"}});
    served.model.answer.stop_sequence = "END";
    auto events = served.events("/v1/messages", anthropic({{"stream", true}}));
    std::vector<std::string> kinds;
    std::string text;
    Json last;
    for (const SseEvent& event : events) {
        Json data = Json::parse(event.data);
        CHECK(data["type"] == event.event);
        if (kinds.empty() || kinds.back() != event.event) kinds.push_back(event.event);
        if (event.event == "content_block_delta") text += data["delta"].value("text", "");
        if (event.event == "message_delta") last = data;
    }
    CHECK(text == "hello");
    CHECK(kinds == std::vector<std::string>{"message_start", "content_block_start",
                                            "content_block_delta", "content_block_stop",
                                            "content_block_start", "content_block_delta",
                                            "content_block_stop", "message_delta", "message_stop"});
    CHECK(last["delta"]["stop_reason"] == "tool_use");
    CHECK(last["usage"]["output_tokens"] == 5);
}

TEST_CASE("errors have the shape and the status of their protocol") {
    Served served({.name = "m3"});
    auto error = [&](const std::string& path, const Json& body, int status) {
        HttpResponse response = served.send(path, body.dump());
        INFO(response.body);
        CHECK(response.status == status);
        return Json::parse(response.body);
    };
    CHECK(error("/v1/chat/completions", chat(), 404)["error"]["code"] == "model_not_found");
    CHECK(error("/v1/messages", anthropic(), 404)["error"]["type"] == "not_found_error");
    CHECK(error("/v1/nothing", chat(), 404)["error"]["type"] == "invalid_request_error");
    CHECK(error("/v1/messages/count_tokens", chat(), 404)["type"] == "error");
    Json bad = error("/v1/chat/completions", chat({{"n", 2}}), 400);
    CHECK(bad["error"]["param"] == "n");
    Json fine = {{"model", "m3"}};
    auto faulty = [&](ModelFault fault, const std::string& path, int status) {
        served.model.fault = fault;
        Json body = path == "/v1/messages" ? anthropic(fine) : chat(fine);
        Json plain = error(path, body, status);
        body["stream"] = true; // nothing was sent yet: the same status
        CHECK(error(path, body, status) == plain);
        return plain["error"];
    };
    CHECK(faulty(ModelFault::ContextOverflow, "/v1/chat/completions", 400)["code"] ==
          "context_length_exceeded");
    CHECK(faulty(ModelFault::Overload, "/v1/chat/completions", 429)["type"] == "rate_limit_error");
    CHECK(faulty(ModelFault::Overload, "/v1/messages", 529)["type"] == "overloaded_error");
    CHECK(faulty(ModelFault::Fatal, "/v1/messages", 500)["type"] == "api_error");
    CHECK_THAT(
        faulty(ModelFault::ContextOverflow, "/v1/messages", 400)["message"].get<std::string>(),
        Catch::StartsWith("prompt is too long"));
}

TEST_CASE("a body over the limit is refused in a shape that both clients know") {
    Served served({.most_body = 1000});
    HttpResponse response =
        served.send("/v1/messages", anthropic({{"system", std::string(2000, 'x')}}).dump());
    CHECK(response.status == 413);
    CHECK(Json::parse(response.body)["error"]["type"] == "request_too_large");
}

TEST_CASE("a token is asked for, and without one a browser is refused") {
    Served served({.token = "secret-token"});
    auto status = [&](Served& at, HttpHeaders headers) {
        return at.send("/v1/chat/completions", chat().dump(), std::move(headers)).status;
    };
    CHECK(status(served, {}) == 401);
    CHECK(status(served, {{"Authorization", "Bearer secret-tokem"}}) == 401);
    CHECK(status(served, {{"Authorization", "Bearer secret-token2"}}) == 401);
    CHECK(status(served, {{"Authorization", "Bearer "}}) == 401);
    CHECK(status(served, {{"x-api-key", "wrong"}}) == 401);
    CHECK(status(served, {{"Authorization", "Bearer secret-token"}}) == 200);
    CHECK(status(served, {{"x-api-key", "secret-token"}}) == 200);
    CHECK(served.send("/v1/models", "").status == 401);
    Served open;
    CHECK(status(open, {}) == 200);
    CHECK(status(open, {{"Origin", "http://evil.example"}}) == 403);
    CHECK(open.send("/v1/models", "").status == 200);
}

TEST_CASE("a client that hangs up cancels its call") {
    for (bool stream : {false, true}) {
        INFO(stream);
        Served served;
        served.model.hang = true;
        {
            FdStream client(connect_tcp("127.0.0.1", served.http.port(), patience()));
            std::string body = chat({{"stream", stream}}).dump();
            client.write("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n" + body,
                         patience());
            while (served.model.running == 0) std::this_thread::sleep_for(1ms);
        }
        for (int i = 0; i < 3000 && !served.model.cancelled; ++i) std::this_thread::sleep_for(10ms);
        CHECK(served.model.cancelled);
        served.http.stop();
        CHECK(served.log.at(0).status == 499);
    }
}

TEST_CASE("calls over the limit wait, and too many are told to come again") {
    Served served({.parallel = 2});
    served.model.pause = true;
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            good += served.send("/v1/chat/completions", chat().dump()).status == 200 ? 1 : 0;
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(good == 8);
    CHECK(served.model.most == 2);

    Served full({.parallel = 1, .most_waiting = 0});
    full.model.hang = true;
    std::thread first([&] {
        try {
            full.send("/v1/chat/completions", chat().dump());
        } catch (const std::exception&) { // the server stops
        }
    });
    while (full.model.running == 0) std::this_thread::sleep_for(1ms);
    CHECK(full.send("/v1/chat/completions", chat().dump()).status == 429);
    CHECK(full.send("/v1/messages", anthropic().dump()).status == 529);
    full.http.stop();
    first.join();
}

TEST_CASE("a client that reads nothing loses its call, not the model's time") {
    Served served({.most_unread = 100'000, .write_timeout = 300ms});
    served.model.answer = say({TextPart{std::string(200'000, 'x')}});
    FdStream client(connect_tcp("127.0.0.1", served.http.port(), patience()));
    std::string body = chat({{"stream", true}}).dump();
    client.write("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body,
                 patience());
    for (int i = 0; i < 3000; ++i) {
        std::this_thread::sleep_for(10ms);
        std::lock_guard lock(served.mutex);
        if (!served.log.empty()) break;
    }
    client.close();
    std::lock_guard lock(served.mutex);
    REQUIRE(served.log.size() == 1);
    CHECK(served.log[0].status == 499);
}
