// assay engine generate: what the model says to a prompt, as it says it.
#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "assay/io/reactor.h"
#include "commands.h"
#include "engine_input.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;
using engine::Ended;
using engine::Generation;
using engine::TokenChoice;

const char* name_of(Ended ended) {
    switch (ended) {
    case Ended::StopId:
    case Ended::Stop:
        return "stop";
    case Ended::MaxTokens:
        return "max_tokens";
    case Ended::ContextFull:
        return "context";
    }
    return "stop";
}

std::vector<std::int32_t> prompt_ids(const EngineArguments& arguments,
                                     const engine::Engine& engine) {
    if (!arguments.tokens.empty()) return read_token_ids(arguments.tokens);
    if (arguments.prompt.empty())
        throw Error(ErrorKind::Usage, "nothing to continue").hint("give --prompt or --tokens");
    if (!utf8_valid(arguments.prompt)) throw Error(ErrorKind::Input, "--prompt is not UTF-8");
    std::string text = arguments.prompt;
    if (arguments.chat)
        text = engine.render(Json{{"messages", {{{"role", "user"}, {"content", text}}}}}.dump());
    return engine.tokenizer().encode(text);
}

engine::GenerateRequest request_of(const EngineArguments& arguments, const engine::Engine& engine) {
    engine::GenerateRequest out;
    out.prompt = prompt_ids(arguments, engine);
    out.sampling = engine.sampling();
    if (arguments.temperature) out.sampling.temperature = *arguments.temperature;
    if (arguments.top_p) out.sampling.top_p = *arguments.top_p;
    if (arguments.top_k) out.sampling.top_k = *arguments.top_k;
    if (arguments.greedy_only) out.sampling.temperature = 0;
    out.seed_key = std::to_string(arguments.seed);
    out.max_tokens = arguments.max_tokens;
    out.stop_ids = engine.stop_ids();
    return out;
}

Json describe(const std::vector<std::int32_t>& prompt, const Generation& made,
              const std::string& text) {
    Json out;
    out["prompt_ids"] = prompt;
    Json ids = Json::array(), logprobs = Json::array();
    for (const TokenChoice& token : made.tokens) {
        ids.push_back(token.id);
        logprobs.push_back(token.logprob);
    }
    out["ids"] = std::move(ids);
    out["logprobs"] = std::move(logprobs);
    out["text"] = text;
    out["ended"] = name_of(made.ended);
    out["prefill_seconds"] = made.prefill_seconds;
    out["decode_seconds"] = made.decode_seconds;
    return out;
}

} // namespace

int engine_generate(const Arguments& arguments) {
    const EngineArguments& wanted = arguments.engine;
    auto engine = engine::Engine::open(wanted.checkpoint, engine_options(wanted));
    engine::GenerateRequest request = request_of(wanted, *engine);
    const std::vector<std::int32_t> prompt = request.prompt;

    Cancel cancel;
    Reactor reactor;
    auto watch =
        reactor.on_signals({SIGINT, SIGTERM}, [&](int) { cancel.cancel(Cause::User, "Ctrl-C"); });
    // Ids alone need no tokenizer.
    std::optional<engine::TextStream> stream;
    if (wanted.tokens.empty() || engine->has_tokenizer())
        stream.emplace(engine->tokenizer(), engine::SpecialTokens::Skip);
    std::string text;
    auto show = [&](const std::string& piece) {
        text += piece;
        if (arguments.json) return;
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        std::fflush(stdout);
    };
    const Generation made = engine->batcher().generate(
        std::move(request),
        [&](const TokenChoice& token) {
            if (stream) show(stream->push(token.id));
        },
        cancel);
    if (stream) show(stream->finish());
    if (arguments.json) {
        std::puts(describe(prompt, made, text).dump().c_str());
    } else if (stream) {
        std::puts("");
    } else {
        for (const TokenChoice& token : made.tokens) fmt::print("{} ", token.id);
        std::puts("");
    }
    const auto decoded = static_cast<double>(made.tokens.size()) - 1;
    fmt::print(stderr, "{} tokens of prompt in {}, {} tokens, {:.1f} a second; ended by {}\n",
               prompt.size(), format_seconds(made.prefill_seconds), made.tokens.size(),
               made.decode_seconds > 0 ? decoded / made.decode_seconds : 0.0, name_of(made.ended));
    return 0;
}

} // namespace assay
