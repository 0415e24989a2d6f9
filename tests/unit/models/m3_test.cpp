// The engine as a model: conversations that grow token by token, whatever becomes of their text.
#include "assay/models/models.h"
#include "catch.h"
#include "fake_trial.h"
#include "m3_output.h"
#include "m3_spec.h"
#include "tiny_checkpoint.h"

#include <future>

using namespace assay;

namespace {

struct Rig {
    Rig() { test::TinyCheckpoint().write(folder.path()); }

    std::unique_ptr<Model> model(const std::string& options = "") {
        return make_model("m3:" + folder.path().string() + options, {});
    }
    static CompletionRequest request(std::vector<MessageRef> messages, int turn = 0,
                                     int max_tokens = 24) {
        CompletionRequest out;
        out.messages = std::move(messages);
        out.sampling.max_tokens = max_tokens;
        out.seed = {1, "task", 1, "agent", turn};
        out.completion = Id::derive("call" + std::to_string(turn));
        return out;
    }
    static MessageRef said(const Completion& completion) {
        return std::make_shared<const Message>(completion.message);
    }

    TempFolder folder;
    Cancel cancel;
};

std::vector<std::int32_t> all_ids(const Completion& completion) {
    std::vector<std::int32_t> out = completion.prompt_ids;
    out.insert(out.end(), completion.completion_ids.begin(), completion.completion_ids.end());
    return out;
}

} // namespace

TEST_CASE("a further turn appends to the ids of the one before, and computes only what is new") {
    Rig rig;
    auto model = rig.model();
    std::vector<MessageRef> messages = {user_message("List the files, please.")};
    const Completion first = model->complete(Rig::request(messages), {}, rig.cancel);
    CHECK(first.completion_ids.size() == first.usage.completion_tokens);
    CHECK(first.logprobs.size() == first.completion_ids.size());
    CHECK(first.usage.prompt_tokens == first.prompt_ids.size());
    CHECK(first.template_hash.has_value());

    messages.push_back(Rig::said(first));
    messages.push_back(user_message("And now?"));
    CompletionRequest next = Rig::request(messages, 1);
    next.parent = Id::derive("call0");
    const Completion second = model->complete(next, {}, rig.cancel);
    CHECK_FALSE(second.prefix_broken);
    const auto before = static_cast<std::uint64_t>(all_ids(first).size());
    CHECK(second.usage.prompt_tokens == before + second.prompt_ids.size());
    CHECK(second.usage.cached_tokens == before - 1); // the last token of the first was only drawn

    // The same ids, whatever else was computed before: another model, in one go.
    auto fresh = rig.model("@threads=2,step=7");
    fresh->complete(Rig::request({messages[0]}), {}, rig.cancel);
    const Completion again = fresh->complete(next, {}, rig.cancel);
    CHECK(again.completion_ids == second.completion_ids);
    CHECK(again.logprobs[5].logprob == second.logprobs[5].logprob);
}

TEST_CASE("a turn that the agent has rewritten is tokenised anew, and the record says where") {
    Rig rig;
    auto model = rig.model();
    std::vector<MessageRef> messages = {user_message("List the files, please.")};
    const Completion first = model->complete(Rig::request(messages), {}, rig.cancel);
    messages.push_back(assistant_message("something else"));
    messages.push_back(user_message("And now?"));
    CompletionRequest next = Rig::request(messages, 1);
    next.parent = Id::derive("call0");
    const Completion second = model->complete(next, {}, rig.cancel);
    REQUIRE(second.prefix_broken);
    CHECK(second.usage.prompt_tokens == second.prompt_ids.size());
    CHECK(*second.prefix_broken > 20);
}

TEST_CASE("a parent is found by the words when none is named") {
    Rig rig;
    auto model = rig.model();
    std::vector<MessageRef> messages = {user_message("List the files, please.")};
    CompletionRequest request = Rig::request(messages);
    request.completion.reset();
    const Completion first = model->complete(request, {}, rig.cancel);
    messages.push_back(Rig::said(first));
    messages.push_back(user_message("And now?"));
    request = Rig::request(messages, 1);
    const Completion second = model->complete(request, {}, rig.cancel);
    const auto whole = all_ids(first);
    REQUIRE(second.prompt_ids.size() > whole.size());
    CHECK(std::equal(whole.begin(), whole.end(), second.prompt_ids.begin()));

    // Another trial that says the same is not given these ids: who was asked before must not
    // matter.
    request = Rig::request(messages, 1);
    request.seed.attempt = 2;
    auto fresh = rig.model();
    CHECK(model->complete(request, {}, rig.cancel).prompt_ids ==
          fresh->complete(request, {}, rig.cancel).prompt_ids);
}

TEST_CASE("the same seed key gives the same answer, another one another") {
    Rig rig;
    auto model = rig.model();
    auto ask = [&](int turn) {
        return model->complete(Rig::request({user_message("Hello")}, turn), {}, rig.cancel)
            .completion_ids;
    };
    const auto first = ask(0);
    CHECK(ask(0) == first);
    CHECK(ask(1) != first);
    std::vector<std::future<std::vector<std::int32_t>>> calls;
    for (int i = 0; i < 6; ++i) calls.push_back(std::async(std::launch::async, ask, i % 2));
    CHECK(calls[0].get() == first);
    CHECK(calls[2].get() == first);
    CHECK(calls[3].get() == calls[1].get());
}

TEST_CASE("what streams adds up to the message") {
    Rig rig;
    auto model = rig.model("@thinking=enabled");
    std::string text, reasoning;
    const Completion made = model->complete(
        Rig::request({user_message("Hello")}, 0, 60),
        [&](const Delta& delta) {
            (delta.kind == Delta::Kind::Reasoning ? reasoning : text) += delta.text;
        },
        rig.cancel);
    std::string thought;
    for (const ContentPart& part : made.message.parts)
        if (const auto* piece = std::get_if<ReasoningPart>(&part)) thought += piece->text;
    CHECK(text == made.message.text());
    CHECK(reasoning == thought);
    CHECK(made.usage.reasoning_tokens > 0);
    CHECK(made.finish == Finish::Length);
}

TEST_CASE("a stop string ends the answer before it") {
    Rig rig;
    auto model = rig.model("@thinking=disabled");
    const Completion whole = model->complete(Rig::request({user_message("Hello")}), {}, rig.cancel);
    const std::string text = whole.message.text();
    REQUIRE(text.size() > 12);
    const std::string stop = text.substr(text.size() / 2, 3);
    CompletionRequest request = Rig::request({user_message("Hello")});
    request.sampling.stop = {"never said", stop};
    const Completion made = model->complete(request, {}, rig.cancel);
    CHECK(made.message.text() == text.substr(0, text.find(stop)));
    CHECK(made.finish == Finish::Stop);
    CHECK(made.completion_ids.size() < whole.completion_ids.size());
}

TEST_CASE("stop strings that lie across pieces are found, beginnings of them wait") {
    StopStrings stops({"END", "]<]"});
    CHECK(stops.feed("one E") == "one ");
    CHECK(stops.feed("N") == "");
    CHECK(stops.feed("T]<") == "ENT");
    CHECK(stops.feed("]<") == ""); // "]<]" is complete
    CHECK(stops.hit());
    CHECK(stops.feed("more") == "");
    StopStrings open({"END"});
    CHECK(open.feed("xE") == "x");
    CHECK(open.finish() == "E");
}

TEST_CASE("a bare text is continued as it stands, and ids are scored as they were drawn") {
    Rig rig;
    auto model = rig.model("@compute=f32");
    CompletionRequest request = Rig::request({});
    request.raw_prompt = "The quick brown";
    const Completion made = model->complete(request, {}, rig.cancel);
    CHECK(made.message.tool_calls().empty());
    CHECK_FALSE(made.template_hash);
    const auto scored = model->score(all_ids(made), rig.cancel);
    REQUIRE(scored.size() == all_ids(made).size() - 1);
    for (std::size_t i = 0; i < made.logprobs.size(); ++i)
        CHECK(scored[made.prompt_ids.size() - 1 + i].logprob == made.logprobs[i].logprob);
}

TEST_CASE("a prompt that does not fit is the agent's affair, a wrong request the harness's") {
    Rig rig;
    auto model = rig.model("@cache=100K");
    const std::uint64_t context = *model->capabilities().context_tokens;
    CHECK(context < 400);
    auto fault_of = [&](const CompletionRequest& request) {
        try {
            model->complete(request, {}, rig.cancel);
        } catch (const ModelError& e) {
            return e.fault();
        }
        return ModelFault::Fatal;
    };
    CHECK(fault_of(Rig::request({user_message(std::string(4000, 'x'))})) ==
          ModelFault::ContextOverflow);
    CompletionRequest request = Rig::request({user_message("Hello")});
    request.sampling.temperature = -1;
    CHECK(fault_of(request) == ModelFault::BadRequest);
    request = Rig::request({user_message("Hello")});
    request.tools = {{"t", "", "{no json"}};
    CHECK(fault_of(request) == ModelFault::BadRequest);
}

TEST_CASE("a random model makes valid calls, or a valid answer, where that is asked for") {
    Rig rig;
    auto model = rig.model("@tools=required,part_tokens=12,max_tokens=400");
    CompletionRequest request = Rig::request({user_message("Hello")}, 0, 400);
    request.tools = {
        {"shell", "runs a command",
         R"({"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"integer"}},"required":["command"],"additionalProperties":false})"},
        {"submit", "ends", R"({"type":"object","properties":{}})"}};
    for (int turn = 0; turn < 8; ++turn) {
        request.seed.turn = turn;
        const Completion made = model->complete(request, {}, rig.cancel);
        const auto calls = made.message.tool_calls();
        REQUIRE_FALSE(calls.empty());
        CHECK(made.finish == Finish::ToolCalls);
        for (const ToolCall* call : calls) {
            CHECK((call->name == "shell" || call->name == "submit"));
            if (call->name == "shell") CHECK_THAT(call->arguments, Catch::Contains("\"command\""));
        }
    }
    // The attack: free to write what it likes, a random model calls nothing.
    auto free = rig.model("@max_tokens=400");
    CHECK(free->complete(request, {}, rig.cancel).message.tool_calls().empty());

    request.tools.clear();
    request.sampling.response_schema =
        R"({"type":"object","properties":{"answer":{"type":"integer"}},"required":["answer"],"additionalProperties":false})";
    CHECK_THAT(model->complete(request, {}, rig.cancel).message.text(),
               Catch::Contains("\"answer\""));
    request.sampling.response_schema = R"({"type":"integer","multipleOf":0.3})";
    CHECK_THROWS_WITH(model->complete(request, {}, rig.cancel), Catch::Contains("multipleOf"));
}

TEST_CASE("pictures are seen, once, and the same words beside another one are not the same") {
    Rig rig;
    test::MemoryBlobs blobs;
    const std::string data = ASSAY_TEST_DATA;
    auto put = [&](const char* name) {
        return blobs.put(RealFileSystem().read(data + "/m3/vl/" + name), "image/png");
    };
    ModelOptions options;
    options.blobs = &blobs;
    auto model = make_model("m3:" + rig.folder.path().string(), options);
    CHECK(model->capabilities().images);
    auto shown = [](const BlobRef& image) -> MessageRef {
        Message message;
        message.parts = {TextPart{"What is this? "}, ImagePart{image}, TextPart{" Say it."}};
        return std::make_shared<const Message>(message);
    };
    const auto pictures = std::pair{put("image0.png"), put("image1.png")};
    std::vector<MessageRef> messages = {shown(pictures.first)};
    const Completion first = model->complete(Rig::request(messages), {}, rig.cancel);
    CHECK(std::count(first.prompt_ids.begin(), first.prompt_ids.end(), 1025) > 3);
    const Completion other =
        model->complete(Rig::request({shown(pictures.second)}, 7), {}, rig.cancel);
    CHECK(other.usage.cached_tokens < first.usage.prompt_tokens / 2);

    messages.push_back(Rig::said(first));
    messages.push_back(user_message("And now?"));
    CompletionRequest next = Rig::request(messages, 1);
    next.parent = Id::derive("call0");
    const Completion second = model->complete(next, {}, rig.cancel);
    CHECK_FALSE(second.prefix_broken);
    CHECK(second.usage.cached_tokens == all_ids(first).size() - 1);
    messages[0] = shown(pictures.second);
    next = Rig::request(messages, 1);
    next.parent = Id::derive("call0");
    CHECK(model->complete(next, {}, rig.cancel).prefix_broken);

    auto blind = rig.model();
    CHECK_THROWS_WITH(blind->complete(Rig::request(messages), {}, rig.cancel),
                      Catch::Contains("images"));
    BlobRef wrong = blobs.put("no picture", "image/png");
    CHECK_THROWS_WITH(model->complete(Rig::request({shown(wrong)}), {}, rig.cancel),
                      Catch::Contains("image/png"));
}

TEST_CASE("specs of the engine") {
    const M3Spec spec = parse_m3_spec("a@b/c@compute=f32,threads=3,cache=2G,thinking=disabled");
    CHECK(spec.checkpoint == "a@b/c");
    CHECK(spec.engine.compute == engine::Compute::F32);
    CHECK(spec.engine.threads == 3);
    CHECK(spec.engine.cache_bytes == std::uint64_t{2} << 30);
    CHECK(spec.thinking == "disabled");
    CHECK(parse_m3_spec("a@b").checkpoint == "a@b");
    for (const char* wrong : {"", "@threads=2", "a@threads=0", "a@threads=x", "a@cache=1Q",
                              "a@color=red", "a@thinking=loud", "a@threads=2,step"})
        CHECK_THROWS_AS(parse_m3_spec(wrong), Error);
}

TEST_CASE("folders that are no checkpoint for conversations are refused with what is missing") {
    Rig rig;
    const Path folder = rig.folder.path();
    std::filesystem::rename(folder / "chat_template.jinja", folder / "x");
    CHECK_THROWS_WITH(rig.model(), Catch::Contains("chat_template"));
    std::filesystem::rename(folder / "x", folder / "chat_template.jinja");
    std::filesystem::remove(folder / "tokenizer.json");
    CHECK_THROWS_WITH(rig.model(), Catch::Contains("tokenizer.json"));
}

TEST_CASE("other trials' calls between two turns decide about no ids") {
    Rig rig;
    auto model = rig.model("@threads=2");
    std::vector<MessageRef> messages = {user_message("List the files, please.")};
    const Completion first = model->complete(Rig::request(messages), {}, rig.cancel);
    messages.push_back(Rig::said(first));
    messages.push_back(user_message("And now?"));
    CompletionRequest next = Rig::request(messages, 1);
    next.parent = Id::derive("call0");
    const Completion undisturbed = model->complete(next, {}, rig.cancel);
    auto busy = rig.model("@threads=2");
    busy->complete(Rig::request({messages[0]}), {}, rig.cancel);
    for (int i = 0; i < 520; ++i) {
        CompletionRequest other = Rig::request({user_message("x")}, 0, 1);
        other.seed.task = "other" + std::to_string(i);
        other.completion = Id::derive("other" + std::to_string(i));
        busy->complete(other, {}, rig.cancel);
    }
    const Completion again = busy->complete(next, {}, rig.cancel);
    CHECK(again.usage.prompt_tokens == undisturbed.usage.prompt_tokens);
    CHECK(again.completion_ids == undisturbed.completion_ids);
    CHECK_FALSE(again.prefix_broken);
}

TEST_CASE("a turn that ended by itself is continued behind its end, once") {
    Rig rig;
    auto model = rig.model("@tools=required,part_tokens=12,max_tokens=400");
    CompletionRequest request = Rig::request({user_message("Hello")}, 0, 400);
    request.tools = {
        {"shell", "runs a command",
         R"({"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"integer"}},"required":["command"],"additionalProperties":false})"}};
    for (int seed = 0; seed < 12; ++seed) {
        request.seed.attempt = seed;
        request.completion = Id::derive("c" + std::to_string(seed));
        const Completion first = model->complete(request, {}, rig.cancel);
        auto messages = request.messages;
        messages.push_back(Rig::said(first));
        Message results;
        results.role = Role::Tool;
        for (const ToolCall* call : first.message.tool_calls()) {
            ToolResult r;
            r.call_id = call->id;
            r.name = call->name;
            r.parts = {TextPart{"done"}};
            results.parts.push_back(r);
        }
        messages.push_back(std::make_shared<const Message>(results));
        CompletionRequest next = request;
        next.messages = messages;
        next.seed.turn = 1;
        next.parent = request.completion;
        next.completion = Id::derive("d" + std::to_string(seed));
        const Completion second = model->complete(next, {}, rig.cancel);
        INFO(seed << " " << first.raw_response << " last " << first.completion_ids.back()
                  << " next " << second.prompt_ids[0] << " " << second.prompt_ids[1]);
        CHECK_FALSE(second.prefix_broken);
        CHECK(second.prompt_ids[0] != first.completion_ids.back());
        CHECK(second.usage.prompt_tokens == all_ids(first).size() + second.prompt_ids.size());
    }
}
