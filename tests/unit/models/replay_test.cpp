#include "assay/models/models.h"
#include "catch.h"
#include "fake_trial.h"

using namespace assay;
using namespace assay::test;

namespace {

struct FakeRecording final : RecordingSource {
    std::optional<RecordedCall> call(std::string_view task, int attempt, std::string_view role,
                                     int turn) override {
        if (task != "t" || attempt != 1 || role != "agent" || turn < 0 ||
            turn >= static_cast<int>(calls.size()))
            return std::nullopt;
        return calls[static_cast<std::size_t>(turn)];
    }
    void add(const std::vector<MessageRef>& added, const std::string& answer) {
        RecordedCall call;
        for (const MessageRef& message : added)
            call.added_message_hashes.push_back(sha256(to_json(*message)).hex());
        call.completion.message = *assistant_message(answer);
        call.completion.id = Id::derive("recorded");
        call.completion.queue_seconds = 9;
        calls.push_back(call);
    }
    std::vector<RecordedCall> calls;
};

} // namespace

TEST_CASE("replay: answers call by call, and names the first message that differs") {
    auto recording = std::make_shared<FakeRecording>();
    MessageRef task = user_message("do it"), result = user_message("output 1");
    recording->add({task}, "first");
    recording->add({result}, "second");
    ModelOptions options;
    std::string opened, warned;
    options.open_recording = [&](const std::string& path) {
        opened = path;
        return recording;
    };
    options.warn = [&](const std::string& text) { warned = text; };
    auto strict = make_model("replay:run.db", options);
    CHECK(opened == "run.db");

    CompletionRequest request;
    request.seed.task = "t";
    request.messages = {task};
    Completion c = strict->complete(request, {}, Cancel());
    CHECK(c.message.text() == "first");
    CHECK(c.id == Id{});
    CHECK(c.queue_seconds == 0);
    request.seed.turn = 1;
    request.messages = {task, assistant_message("first"), result};
    CHECK(strict->complete(request, {}, Cancel()).message.text() == "second");

    request.messages.back() = user_message("output 2");
    for (bool loose : {false, true}) {
        auto model = make_model(loose ? "replay:run.db@loose" : "replay:run.db", options);
        std::string text;
        FakeSink sink;
        request.events = &sink;
        if (loose) {
            CHECK(model->complete(request, {}, Cancel()).message.text() == "second");
            text = warned;
            CHECK(sink.has(EventKind::Note, "output 2"));
        } else {
            try {
                model->complete(request, {}, Cancel());
                FAIL("no error");
            } catch (const ModelError& e) {
                CHECK(e.fault() == ModelFault::ReplayMismatch);
                text = e.message();
            }
        }
        for (const char* part : {"'t'", "attempt 1", "role agent", "turn 1", "message 3",
                                 "new message 1 of 1", "output 2"})
            CHECK(text.find(part) != std::string::npos);
    }
    request.seed.turn = 2;
    CHECK_THROWS_WITH(strict->complete(request, {}, Cancel()), Catch::Contains("no such call"));
    request.seed.turn = 1;
    request.messages.clear();
    CHECK_THROWS_WITH(strict->complete(request, {}, Cancel()), Catch::Contains("0 messages"));
    CHECK_THROWS_AS(make_model("replay:run.db", {}), Error);
    CHECK_THROWS_AS(make_model("replay:@loose", options), Error);
}

TEST_CASE("replay: messages with secrets are compared as they were stored") {
    auto recording = std::make_shared<FakeRecording>();
    recording->add({user_message("the key is [REDACTED:API_KEY]")}, "first");
    Redactor redactor;
    redactor.add("API_KEY", "sk-very-secret");
    ModelOptions options;
    options.open_recording = [&](const std::string&) { return recording; };
    options.redactor = &redactor;
    auto model = make_model("replay:run.db", options);
    CompletionRequest request;
    request.seed.task = "t";
    request.messages = {user_message("the key is sk-very-secret")};
    CHECK(model->complete(request, {}, Cancel()).message.text() == "first");
    request.messages = {user_message("my key is sk-very-secret")};
    CHECK_THROWS_WITH(model->complete(request, {}, Cancel()),
                      Catch::Contains("my key is [REDACTED:API_KEY]"));
}

TEST_CASE("replay: a call that a limit broke off breaks off again, after the comparison") {
    auto recording = std::make_shared<FakeRecording>();
    recording->add({user_message("do it")}, "");
    recording->calls[0].interrupted = CancelReason{Cause::TimeLimit, "5 s in all"};
    ModelOptions options;
    options.open_recording = [&](const std::string&) { return recording; };
    auto model = make_model("replay:run.db", options);
    CompletionRequest request;
    request.seed.task = "t";
    request.messages = {user_message("do it")};
    CHECK_THROWS_WITH(model->complete(request, {}, Cancel()), "interrupted (time): 5 s in all");
    request.messages = {user_message("do something else")};
    CHECK_THROWS_WITH(model->complete(request, {}, Cancel()), Catch::Contains("differs"));
}

TEST_CASE("replay: a recorded failure is thrown again, after the messages were compared") {
    auto recording = std::make_shared<FakeRecording>();
    MessageRef task = user_message("do it");
    recording->add({task}, "");
    recording->calls[0].error = ModelError(ModelFault::ContextOverflow, "too long");
    ModelOptions options;
    options.open_recording = [&](const std::string&) { return recording; };
    auto model = make_model("replay:run.db", options);
    CompletionRequest request;
    request.seed.task = "t";
    request.messages = {task};
    try {
        model->complete(request, {}, Cancel());
        FAIL("no error");
    } catch (const ModelError& e) {
        CHECK(e.fault() == ModelFault::ContextOverflow);
        CHECK(e.message() == "too long");
    }
    request.messages = {user_message("do something else")};
    CHECK_THROWS_WITH(model->complete(request, {}, Cancel()), Catch::Contains("differs"));
}
