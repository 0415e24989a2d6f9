// The provider against a server of ours that misbehaves.
#include "assay/models/models.h"
#include "assay/models/prices.h"
#include "assay/models/retrying.h"
#include "catch.h"
#include "fake_trial.h"
#include "openai_server.h"

#include <nlohmann/json.hpp>

#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

struct Client {
    explicit Client(OpenAiServer& server) {
        options.environment["OPENAI_API_KEY"] = "sk-secret";
        options.environment["OPENAI_BASE_URL"] = server.url() + "/";
        options.idle_timeout = 300ms;
        options.timeout = 20s;
        request.messages = {user_message("hi")};
        request.events = &sink;
    }
    Completion ask() { return make_model("openai:m", options)->complete(request, {}, cancel); }
    // With retries that do not really wait.
    Completion retry() {
        RetryingModel model(make_model("openai:m", options), nullptr, {}, clock,
                            [this](Nanoseconds time, const Cancel& c) {
                                waits.push_back(seconds(time));
                                return !c.cancelled();
                            });
        return model.complete(request, {}, cancel);
    }
    ModelFault fault() {
        try {
            ask();
        } catch (const ModelError& e) {
            message = e.message();
            return e.fault();
        }
        FAIL("no fault");
        return ModelFault::Fatal;
    }

    ModelOptions options;
    CompletionRequest request;
    FakeSink sink;
    Cancel cancel;
    SystemClock clock;
    std::vector<double> waits;
    std::string message;
};

} // namespace

TEST_CASE("openai http: a streamed answer, its request and its cost") {
    OpenAiServer server;
    server.say("hello");
    Client client(server);
    client.options.prices = std::make_shared<PriceTable>(
        PriceTable::parse(R"({"m":{"input":1000000,"output":1000000}})", "p"));
    Completion c = client.ask();
    CHECK(c.message.text() == "hello");
    CHECK(c.model == "served");
    CHECK(c.usage.cost == 15.0);
    CHECK(c.decode_seconds >= 0);
    CHECK(c.raw_response.find("hello") != std::string::npos);
    auto requests = server.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].target == "/v1/chat/completions");
    CHECK(requests[0].headers.get("Authorization") == "Bearer sk-secret");
    CHECK(nlohmann::json::parse(requests[0].body)["model"] == "m");
    CHECK(c.raw_request == requests[0].body);
    CHECK(c.raw_request.find("sk-secret") == std::string::npos);
}

TEST_CASE("openai http: a server that does not stream, and one that sends byte by byte") {
    OpenAiServer server;
    server.json(R"({"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]})");
    server.slow({delta("b\xc3\xa4h"), finish("stop")});
    Client client(server);
    CHECK(client.ask().message.text() == "whole");
    CHECK(client.ask().message.text() == "b\xc3\xa4h");
}

TEST_CASE("openai http: every way to break is a fault of its class, with the place named") {
    OpenAiServer server;
    Client client(server);
    server.cut({delta("half an ans"), delta("wer")}, 120);
    CHECK(client.fault() == ModelFault::Retry);
    CHECK(client.message.find("m at http://127.0.0.1") != std::string::npos);
    CHECK(client.message.find("sk-secret") == std::string::npos);

    server.then([](const HttpRequest&, ResponseWriter& writer) { writer.break_connection(); });
    server.end_early({delta("half")});
    server.stall({delta("half")});
    server.status(200, "{\"choices\":[", {{"Content-Type", "application/json"}});
    server.stream({"{not json"});
    server.status(500, "oops");
    server.status(401, R"({"error":{"message":"bad key"}})");
    server.status(400, R"({"error":{"message":"maximum context length is 10"}})");
    client.fault(); // the first behaviour is repeated until another one follows it
    CHECK(client.fault() == ModelFault::Retry);
    CHECK(client.fault() == ModelFault::Retry);
    CHECK(client.fault() == ModelFault::Timeout);
    CHECK(client.fault() == ModelFault::Retry);
    CHECK(client.fault() == ModelFault::Retry);
    CHECK(client.fault() == ModelFault::Retry);
    CHECK(client.fault() == ModelFault::Auth);
    CHECK(client.fault() == ModelFault::ContextOverflow);
}

TEST_CASE("openai http: through retries all of it ends in the whole answer") {
    OpenAiServer server;
    server.status(429, R"({"error":{"message":"slow down"}})", {{"Retry-After", "7"}});
    server.status(500, "oops");
    server.cut({delta("half"), delta("more")}, 100);
    server.stall({delta("half")});
    server.stream({"garbage"});
    server.status(503, "busy", {{"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"}});
    server.say("the whole answer");
    Client client(server);
    Completion c = client.retry();
    CHECK(c.message.text() == "the whole answer");
    CHECK(c.tries == 7);
    REQUIRE(client.waits.size() == 6);
    CHECK(client.waits[0] >= 7);
    CHECK(client.sink.count(EventKind::Retry) == 6);
    CHECK(client.sink.has(EventKind::Retry, "status 429"));
    CHECK(client.sink.has(EventKind::Retry, "\"fault\":\"timeout\""));
    CHECK(server.requests().size() == 7);
}

TEST_CASE("openai http: the name of the token limit is learnt from the server") {
    OpenAiServer server;
    server.then([](const HttpRequest& request, ResponseWriter& writer) {
        HttpResponse response;
        bool newer = nlohmann::json::parse(request.body).contains("max_completion_tokens");
        response.status = newer ? 200 : 400;
        response.headers.set("Content-Type", "application/json");
        response.body = newer
                            ? R"({"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]})"
                            : R"({"error":{"message":"Use 'max_completion_tokens' instead."}})";
        writer.send(std::move(response));
    });
    Client client(server);
    client.request.sampling.max_tokens = 5;
    auto model = make_model("openai:m", client.options);
    CHECK(model->complete(client.request, {}, Cancel()).message.text() == "ok");
    CHECK(model->complete(client.request, {}, Cancel()).message.text() == "ok");
    CHECK(server.requests().size() == 3);
}

TEST_CASE("openai http: a cancel breaks a stalled stream off, with its cause") {
    OpenAiServer server;
    server.stall({delta("half")});
    Client client(server);
    client.options.idle_timeout = 60s;
    std::jthread stopper([&] {
        while (server.requests().empty()) std::this_thread::sleep_for(1ms);
        client.cancel.cancel(Cause::User, "Ctrl-C");
    });
    REQUIRE_THROWS_AS(client.ask(), Interrupted);
}

TEST_CASE("openai http: nobody there is transient; the spec is checked when it is made") {
    ModelOptions options;
    CompletionRequest request;
    request.messages = {user_message("hi")};
    std::string gone;
    {
        OpenAiServer server;
        gone = server.url();
    }
    auto model = make_model("openai:some/model@" + gone, options);
    CHECK(model->name() == "openai:some/model");
    try {
        model->complete(request, {}, Cancel());
        FAIL("no fault");
    } catch (const ModelError& e) {
        CHECK(e.fault() == ModelFault::Retry);
    }
    CHECK_THROWS_AS(make_model("openai:", options), Error);
    CHECK_THROWS_AS(make_model("openai:m@http://", options), Error);
    // Not a model "m@localhost:8000/v1" of the default server, which would get key and prompts.
    ModelOptions with_key;
    with_key.environment["OPENAI_API_KEY"] = "sk-test";
    for (const char* spec : {"openai:m@localhost:8000/v1", "openai:m@httpd:8000/v1", "openai:m@"})
        CHECK_THROWS_WITH(make_model(spec, with_key),
                          Catch::Contains("the part after @ is no http(s) URL"));
    try {
        make_model("openai:m@localhost:8000/v1", with_key);
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Usage);
        CHECK_THAT(e.hint(), Catch::StartsWith("write openai:m@http://localhost:8000/v1;"));
    }
    CHECK(make_model("openai:m@v2@" + gone, options)->name() == "openai:m@v2");
    CHECK(make_model("openai:m@https://u@host/v1", options)->name() == "openai:m");
    CHECK_THROWS_WITH(make_model("openai:m", options), Catch::Contains("API key"));
    CHECK(make_model("openai:a@" + gone, options)->connection_key() !=
          make_model("openai:b@" + gone, options)->connection_key());
}

TEST_CASE("openai http: many calls at once share connections and a limit") {
    OpenAiServer server;
    server.say("x");
    Client client(server);
    client.options.idle_timeout = 10s;
    SystemClock clock;
    ConnectionPool pool({2, 1, 4, true, 15s}, clock);
    auto model = with_retries(make_model("openai:m", client.options), pool, {}, clock);
    std::atomic<int> good{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 6; ++t)
            threads.emplace_back([&] {
                CompletionRequest request;
                request.messages = {user_message("hi")};
                for (int i = 0; i < 5; ++i)
                    if (model->complete(request, {}, Cancel()).message.text() == "x") ++good;
            });
    }
    CHECK(good == 30);
    CHECK(pool.all().begin()->second->in_flight() == 0);
}
