// The engine as a model.
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "assay/engine/constrain.h"
#include "assay/engine/engine.h"
#include "factories.h"
#include "m3_output.h"
#include "m3_prompt.h"
#include "m3_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <mutex>

namespace assay {

namespace {

constexpr std::size_t kToEnd = 256; // tokens that the end of a constrained answer may take

engine::SamplerSettings sampler_settings(engine::SamplerSettings out, const Sampling& wanted) {
    out.temperature = wanted.temperature.value_or(out.temperature);
    out.top_p = wanted.top_p.value_or(out.top_p);
    out.top_k = wanted.top_k.value_or(out.top_k);
    out.min_p = wanted.min_p.value_or(out.min_p);
    out.repetition_penalty = wanted.repetition_penalty.value_or(out.repetition_penalty);
    out.presence_penalty = wanted.presence_penalty.value_or(out.presence_penalty);
    out.frequency_penalty = wanted.frequency_penalty.value_or(out.frequency_penalty);
    return out;
}

engine::ThinkingMode mode_of(const std::string& thinking) {
    if (thinking == "enabled") return engine::ThinkingMode::Enabled;
    if (thinking == "disabled") return engine::ThinkingMode::Disabled;
    return engine::ThinkingMode::Adaptive;
}

// The first number for which "call_N" names no call of the conversation, nor any later one.
std::size_t next_call(const std::vector<MessageRef>& messages) {
    std::size_t next = 1;
    for (const MessageRef& message : messages)
        for (const ToolCall* call : message->tool_calls()) {
            std::size_t number = 0;
            const std::string_view id = call->id;
            if (!id.starts_with("call_")) continue;
            auto [end, problem] = std::from_chars(id.data() + 5, id.data() + id.size(), number);
            if (problem == std::errc() && end == id.data() + id.size() && number < SIZE_MAX)
                next = std::max(next, number + 1);
        }
    return next;
}

class M3Model final : public Model {
  public:
    M3Model(std::string name, const M3Spec& spec, const ModelOptions& options)
        : name_(std::move(name))
        , spec_(spec)
        , top_logprobs_(options.top_logprobs)
        , engine_(engine::Engine::open(spec.checkpoint, spec.engine))
        , prompter_(*engine_, options.blobs) {
        engine_->tokenizer(); // throws if there is none
        engine_->render(R"({"messages":[{"role":"user","content":"Hello"}]})");
    }

    std::string name() const override { return name_; }
    std::string connection_key() const override { return {}; } // the batcher has a queue
    std::optional<Digest> fingerprint() const override {
        return sha256(fmt::format("{}/{}/{}/{}/{}/{}", engine_->fingerprint().hex(), spec_.thinking,
                                  static_cast<int>(spec_.tools), spec_.max_tokens.value_or(0),
                                  spec_.part_tokens.value_or(0), engine_->batcher().context()));
    }
    std::string plan() const override {
        const engine::EngineOptions& options = engine_->options();
        std::string kernels;
        for (const auto& [op, variant] : engine::chosen_kernels(options.compute))
            kernels += fmt::format(R"({}"{}":"{}")", kernels.empty() ? "" : ",", op, variant);
        return fmt::format(
            R"({{"compute":"{}","threads":{},"cache_bytes":{},"context":{},"kernels":{{{}}}}})",
            options.compute == engine::Compute::Bf16 ? "bf16" : "f32", options.threads,
            *options.cache_bytes, engine_->batcher().context(), kernels);
    }
    ModelCapabilities capabilities() const override {
        ModelCapabilities can;
        can.tools = can.streaming = can.token_ids = can.score = can.deterministic = true;
        can.images = prompter_.sees_images();
        can.context_tokens = static_cast<std::uint64_t>(engine_->batcher().context());
        return can;
    }

    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override try {
        cancel.check();
        const std::string thinking = thinking_of(request.sampling);
        const std::vector<ToolSpec> tools = tools_of(request);
        const auto began = std::chrono::steady_clock::now();
        M3Prompt prompt = prompter_.prompt(request, tools, thinking, cancel);
        const std::chrono::duration<double> seen = std::chrono::steady_clock::now() - began;
        M3Output output(*engine_,
                        {mode_of(thinking), m3_tools(tools), request.sampling.stop,
                         request.raw_prompt.has_value()},
                        sink);
        engine::GenerateRequest wanted = generation(request, prompt);
        wanted.constraint = constraint(request, tools, mode_of(thinking), wanted.max_tokens);
        const engine::Generation made = generate(std::move(wanted), request, output, cancel);
        Completion out = completion(request, std::move(prompt), output, made);
        out.prefill_seconds += seen.count(); // pictures are looked at, words tokenised
        return out;
    } catch (const ModelError&) {
        throw;
    } catch (const Error& e) {
        throw ModelError(e.kind() == ErrorKind::Input || e.kind() == ErrorKind::Usage ||
                                 e.kind() == ErrorKind::Unsupported
                             ? ModelFault::BadRequest
                             : ModelFault::Fatal,
                         "model m3: " + e.message() + (e.hint().empty() ? "" : "; " + e.hint()));
    }

    std::optional<std::string> token_bytes(std::int32_t token) const override {
        std::string bytes(engine_->tokenizer().token(token));
        return bytes.empty() ? std::nullopt : std::optional(std::move(bytes));
    }
    std::vector<TokenLogprob> score(std::span<const std::int32_t> ids,
                                    const Cancel& cancel) override {
        std::vector<TokenLogprob> out;
        for (engine::TokenChoice& one :
             engine_->batcher().score({ids.begin(), ids.end()}, std::max(0, top_logprobs_), cancel))
            out.push_back({one.id, one.logprob, std::move(one.top)});
        return out;
    }

  private:
    std::string thinking_of(const Sampling& sampling) const {
        if (!sampling.reasoning_effort) return spec_.thinking;
        const std::string& effort = *sampling.reasoning_effort;
        return effort == "none" || effort == "minimal" ? "disabled" : "enabled";
    }

    static std::vector<ToolSpec> tools_of(const CompletionRequest& request) {
        if (request.raw_prompt) return {};
        const auto& choice = request.sampling.tool_choice;
        if (choice && choice->kind == ToolChoice::Kind::None) return {};
        return request.tools;
    }

    engine::GenerateRequest generation(const CompletionRequest& request, const M3Prompt& prompt) {
        const std::int64_t context = engine_->batcher().context();
        const auto size = static_cast<std::int64_t>(prompt.ids.size());
        if (size >= context)
            throw ModelError(
                ModelFault::ContextOverflow,
                fmt::format("model m3: the prompt has {} tokens, the context {}", size, context));
        engine::GenerateRequest out;
        out.prompt = prompt.ids;
        out.media = prompt.media;
        out.sampling = sampler_settings(engine_->sampling(), request.sampling);
        out.seed_key = request.seed.text();
        out.max_tokens = context - size;
        if (auto most =
                request.sampling.max_tokens ? request.sampling.max_tokens : spec_.max_tokens)
            out.max_tokens = std::min<std::int64_t>(out.max_tokens, *most);
        out.stop_ids = engine_->stop_ids();
        out.alternatives = std::max(0, request.sampling.top_logprobs.value_or(top_logprobs_));
        out.stop = stop_watch(engine_->share_tokenizer(), request.sampling.stop);
        return out;
    }

    // What the answer must be like, if anything is asked of it.
    std::unique_ptr<engine::Constraint> constraint(const CompletionRequest& request,
                                                   const std::vector<ToolSpec>& tools,
                                                   engine::ThinkingMode thinking,
                                                   std::int64_t max_tokens) {
        using Choice = engine::ToolCallOptions::Choice;
        engine::ToolCallOptions options;
        options.thinking = request.raw_prompt ? engine::ThinkingMode::Disabled : thinking;
        // The end of what is begun must fit into the limit.
        const auto most = static_cast<std::size_t>(max_tokens);
        options.total_tokens = std::min(options.total_tokens, most - std::min(most / 2, kToEnd));
        if (spec_.part_tokens)
            options.reasoning_tokens = options.content_tokens = options.string_tokens =
                static_cast<std::size_t>(*spec_.part_tokens);
        if (request.sampling.response_schema)
            return engine::constrain_json(vocabulary(), *request.sampling.response_schema, options);
        if (tools.empty()) return nullptr;
        const ToolChoice choice = request.sampling.tool_choice.value_or(ToolChoice{});
        if (choice.kind == ToolChoice::Kind::Named) {
            options.choice = Choice::Named;
            options.name = choice.name;
        } else if (choice.kind == ToolChoice::Kind::Required ||
                   spec_.tools == M3Spec::Tools::Required) {
            options.choice = Choice::Required;
        } else if (spec_.tools == M3Spec::Tools::Free) {
            return nullptr;
        }
        return engine::constrain_tool_calls(vocabulary(), m3_tools(tools), options);
    }

    const engine::Vocabulary& vocabulary() {
        std::call_once(vocabulary_made_,
                       [&] { vocabulary_ = engine::Vocabulary::create(engine_->tokenizer()); });
        return *vocabulary_;
    }

    engine::Generation generate(engine::GenerateRequest wanted, const CompletionRequest& request,
                                M3Output& output, const Cancel& cancel) {
        bool waiting = false;
        auto wait = [&](bool now) {
            if (request.waiting && now != waiting) request.waiting(now);
            waiting = now;
        };
        wanted.begun = [&] { wait(false); };
        wait(true);
        try {
            engine::Generation made = engine_->batcher().generate(
                std::move(wanted), [&](const engine::TokenChoice& one) { output.push(one); },
                cancel);
            wait(false);
            output.finish();
            return made;
        } catch (...) {
            wait(false);
            throw;
        }
    }

    Completion completion(const CompletionRequest& request, M3Prompt prompt, const M3Output& output,
                          const engine::Generation& made) {
        Completion out;
        out.message = output.message(next_call(request.messages));
        out.model = spec_.checkpoint.filename().string();
        out.stop_sequence = output.stop();
        out.usage.prompt_tokens = prompt.ids.size();
        out.usage.cached_tokens = static_cast<std::uint64_t>(made.cached_tokens);
        out.usage.completion_tokens = made.tokens.size();
        out.usage.reasoning_tokens = output.reasoning_tokens();
        out.finish = made.ended == engine::Ended::StopId || made.ended == engine::Ended::Stop
                         ? Finish::Stop
                         : Finish::Length;
        if (!out.message.tool_calls().empty() && out.finish == Finish::Stop)
            out.finish = Finish::ToolCalls;
        out.prompt_ids.assign(prompt.ids.begin() + static_cast<std::ptrdiff_t>(prompt.known),
                              prompt.ids.end());
        for (const engine::TokenChoice& one : made.tokens) {
            out.completion_ids.push_back(one.id);
            out.logprobs.push_back({one.id, one.logprob, one.top});
        }
        out.prefix_broken = prompt.broken;
        if (!request.raw_prompt) out.template_hash = engine_->template_hash();
        out.queue_seconds = made.queue_seconds;
        out.prefill_seconds = made.prefill_seconds;
        out.decode_seconds = made.decode_seconds;
        out.raw_response = R"({"text":)" + json_quote(output.raw()) + "}";
        if (!request.raw_prompt) remember(request, std::move(prompt), output, out);
        return out;
    }

    void remember(const CompletionRequest& request, M3Prompt prompt, const M3Output& output,
                  const Completion& made) {
        M3Turn turn;
        turn.trial = trial_of(request.seed);
        turn.id = request.completion;
        turn.messages = request.messages.size();
        turn.prompt = std::move(prompt.text);
        turn.raw = output.raw();
        turn.message = to_json(made.message);
        turn.media = std::move(prompt.media);
        turn.images = std::move(prompt.images);
        turn.ids = std::move(prompt.ids);
        turn.ids.insert(turn.ids.end(), made.completion_ids.begin(), made.completion_ids.end());
        turn.ended = output.ended();
        prompter_.remember(std::move(turn));
    }

    const std::string name_;
    const M3Spec spec_;
    const int top_logprobs_;
    std::once_flag vocabulary_made_;
    std::shared_ptr<const engine::Vocabulary> vocabulary_; // outlives the engine's last call
    std::shared_ptr<engine::Engine> engine_;
    M3Prompter prompter_;
};

} // namespace

std::unique_ptr<Model> make_m3_model(std::string_view rest, const ModelOptions& options) {
    return std::make_unique<M3Model>("m3:" + std::string(rest), parse_m3_spec(rest), options);
}

} // namespace assay
