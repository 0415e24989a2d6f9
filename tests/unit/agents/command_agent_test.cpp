// The agent `command` in a fake sandbox: what its program is told, and whose calls are answered.
#include "assay/agents/agents.h"
#include "assay/io/fd_stream.h"
#include "assay/serve/model_server.h"
#include "catch.h"
#include "fake_trial.h"
#include "model_endpoint.h"

#include <array>
#include <thread>

using namespace assay;
using namespace assay::test;

namespace {

const std::string kBody = R"({"model":"x","messages":[{"role":"user","content":"hi"}]})";

std::string talk(FdStream& stream, const std::string& token) {
    stream.write("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Authorization: Bearer " +
                     token + "\r\nContent-Length: " + std::to_string(kBody.size()) + "\r\n\r\n" +
                     kBody,
                 Cancel());
    std::string all;
    std::array<char, 4096> buffer;
    while (std::size_t n = stream.read(buffer, Cancel())) all.append(buffer.data(), n);
    return all;
}

// As a program in the sandbox of that trial does.
std::string call(FakeTrial& trial, const std::string& token) {
    auto [ours, theirs] = make_stream_pair();
    std::thread service([&trial, end = std::move(theirs)]() mutable {
        trial.sandbox().services.at(0)(std::move(end), Cancel());
    });
    std::string answer = talk(*ours, token);
    service.join();
    return answer;
}

} // namespace

TEST_CASE("an attempt's endpoint answers its own token alone") {
    FakeTrial one("one"), two("two");
    two.random = CounterRandom(2);
    one.fake_model().say("first");
    one.fake_model().say("second");
    two.fake_model();
    ModelEndpoint first(one, {}), second(two, {});
    CHECK_FALSE(first.token() == "");
    CHECK(first.environment()["OPENAI_BASE_URL"] == "http://127.0.0.1:40000/v1");
    CHECK(first.environment()["ANTHROPIC_API_KEY"] == first.token());
    CHECK_THAT(call(one, second.token()), Catch::Contains(" 401 "));
    CHECK(one.fake_model().requests.empty());
    CHECK_THAT(call(one, first.token()), Catch::Contains("first"));
    CHECK(one.fake_model().requests.size() == 1);
    CHECK(first.calls() == 1);

    // The same attack where no token is asked for.
    ModelServer open(one.model("agent"), one.memory, {.any_name = true});
    auto [ours, theirs] = make_stream_pair();
    std::thread service([&, end = std::move(theirs)] {
        serve_connection(*end, open.handler(), open.http_options(), Cancel());
    });
    CHECK_THAT(talk(*ours, second.token()), Catch::Contains("second"));
    service.join();
}

TEST_CASE("what a call died of is told unless a later one went well") {
    FakeTrial trial;
    trial.fake_model();
    ModelEndpoint endpoint(trial, {});
    trial.fake_model().fail(ModelFault::ContextOverflow).fail(ModelFault::Fatal);
    trial.fake_model().say("well");
    CHECK_THAT(call(trial, endpoint.token()), Catch::Contains("context_length_exceeded"));
    CHECK_NOTHROW(endpoint.check()); // the program's affair
    CHECK_THAT(call(trial, endpoint.token()), Catch::Contains(" 500 "));
    CHECK_THROWS_AS(endpoint.check(), ModelError);
    call(trial, endpoint.token());
    CHECK_NOTHROW(endpoint.check());
}

TEST_CASE("the agent command needs a command") {
    CHECK_THROWS_AS(make_agent("command"), Error);
    CHECK_THROWS_AS(make_agent("command", {{"command", "x"}, {"exit", "maybe"}}), Error);
    CHECK_NOTHROW(make_agent("command", {{"command", "x"}}));
}
