// A checkpoint that answers: weights, tokenizer, chat template and batcher in one. What the
// provider and the commands of `assay engine` are made of.
//
//   auto engine = Engine::open(folder, {.threads = 2});
//   GenerateRequest request;
//   request.prompt = engine->tokenizer().encode("Hello");
//   engine->batcher().generate(std::move(request), {}, cancel);
//
// Thread-safe. Everything that it gives out lives as long as it.
#pragma once

#include "assay/engine/batcher.h"
#include "assay/engine/checkpoint.h"
#include "assay/engine/conversation.h"
#include "assay/engine/template.h"
#include "assay/engine/tokenizer.h"
#include "assay/engine/vision.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::engine {

struct EngineOptions {
    Compute compute = Compute::Bf16;
    int threads = 0;                            // 0: one for each processor
    std::optional<std::uint64_t> cache_bytes{}; // absent: half of the memory that is free
    int running = 32;
    int step_tokens = 512;
};

class Engine {
  public:
    // Throws Error(Input) for what is wrong with the folder, Error(Usage) for the options.
    static std::shared_ptr<Engine> open(const Path& folder, const EngineOptions& options);
    virtual ~Engine() = default;

    virtual const Checkpoint& checkpoint() const = 0;
    virtual const EngineOptions& options() const = 0; // with what was chosen for absent ones
    virtual bool has_tokenizer() const = 0;
    // Throws Error(Input) if the folder has none.
    virtual const Tokenizer& tokenizer() const = 0;
    // For what a request owns, which may live a little longer than the engine.
    virtual std::shared_ptr<const Tokenizer> share_tokenizer() const = 0;
    virtual Batcher& batcher() const = 0;
    virtual VisionModel* vision() const = 0; // nullptr: the checkpoint has none
    // Ids that end a completion, by generation_config.json, config.json or the tokenizer's
    // configuration, the first that names any.
    virtual const std::vector<std::int32_t>& stop_ids() const = 0;
    virtual const SamplerSettings& sampling() const = 0; // by generation_config.json

    // The prompt that the chat template makes of a conversation, see template_variables. Throws
    // Error(Input), also if the folder has no template.
    virtual std::string render(std::string_view conversation) const = 0;
    virtual Digest template_hash() const = 0;
    // Of all that answers follow from: weights, tokenizer, template, compute, sampling.
    virtual Digest fingerprint() const = 0;
};

// Which variant of each kernel runs here: the same ones give the same bits.
std::map<std::string, std::string> chosen_kernels(Compute compute);

// Bytes that a process may still take without pushing others out: of the machine, or of the
// container.
std::uint64_t free_memory(FileSystem& files);

} // namespace assay::engine
