#include "assay/engine/engine.h"

#include "assay/base/error.h"
#include "generation_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace assay::engine {

namespace {

constexpr std::uint64_t kLargestTokenizer = 256u << 20;
constexpr std::uint64_t kFewestPages = 8; // of a cache whose size nobody named

EngineOptions completed(EngineOptions options, const TextConfig& config, FileSystem& files) {
    if (options.threads <= 0)
        options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    if (!options.cache_bytes) {
        const std::uint64_t page = PageCache::bytes_of_page(config, options.compute);
        const auto most = static_cast<std::uint64_t>(config.max_positions) /
                              (config.block > 0 ? config.block : 128) +
                          1;
        const auto running = static_cast<std::uint64_t>(std::max(1, options.running));
        options.cache_bytes = std::min(free_memory(files) / 2, most * page * running);
        if (*options.cache_bytes / page < std::min(most, kFewestPages))
            throw Error(ErrorKind::Usage,
                        fmt::format("half of the free memory, {} bytes, is too little for a cache",
                                    *options.cache_bytes))
                .hint(fmt::format("name its size (cache=…); a page of {} tokens takes {} bytes",
                                  config.block, page));
    }
    return options;
}

class OpenEngine final : public Engine {
  public:
    OpenEngine(const Path& folder, const EngineOptions& options)
        : checkpoint_(Checkpoint::open(folder))
        , options_(completed(options, checkpoint_->config().text, files_)) {
        const Path tokenizer = folder / "tokenizer.json";
        if (files_.exists(tokenizer)) {
            tokenizer_file_ = sha256(files_.read(tokenizer, kLargestTokenizer));
            tokenizer_ = Tokenizer::open(tokenizer);
        }
        config_ = read_generation_config(files_, folder, tokenizer_.get());
        check_stop_ids();
        try {
            source_ = find_template(files_, folder);
        } catch (const Error& e) {
            no_template_ = e;
        }
        if (source_) chat_ = ChatTemplate::compile(source_->text, source_->name);
        if (checkpoint_->config().vision)
            vision_ = VisionModel::create(*checkpoint_, options_.compute, options_.threads);
        batcher_ = std::make_unique<Batcher>(checkpoint_->config().text,
                                             checkpoint_->weights().text, batcher_options());
    }

    const Checkpoint& checkpoint() const override { return *checkpoint_; }
    const EngineOptions& options() const override { return options_; }
    Batcher& batcher() const override { return *batcher_; }
    VisionModel* vision() const override { return vision_.get(); }
    const std::vector<std::int32_t>& stop_ids() const override { return config_.stop_ids; }
    const SamplerSettings& sampling() const override { return config_.sampling; }

    bool has_tokenizer() const override { return tokenizer_ != nullptr; }
    const Tokenizer& tokenizer() const override {
        if (!tokenizer_)
            throw Error(ErrorKind::Input,
                        (checkpoint_->folder() / "tokenizer.json").string() + ": no such file")
                .hint("put the tokenizer.json that belongs to the weights there");
        return *tokenizer_;
    }

    std::shared_ptr<const Tokenizer> share_tokenizer() const override { return tokenizer_; }

    std::string render(std::string_view conversation) const override {
        if (!chat_) throw Error(*no_template_);
        return chat_->render(template_variables(conversation, *source_));
    }

    Digest template_hash() const override { return sha256(source_ ? source_->text : ""); }

    Digest fingerprint() const override {
        const SamplerSettings& s = config_.sampling;
        return sha256(fmt::format("{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", checkpoint_->fingerprint().hex(),
                                  tokenizer_file_.hex(), template_hash().hex(),
                                  options_.compute == Compute::Bf16 ? "bf16" : "f32", s.temperature,
                                  s.top_p, s.top_k, s.min_p, s.repetition_penalty,
                                  fmt::join(config_.stop_ids, ",")));
    }

  private:
    void check_stop_ids() const {
        for (std::int32_t id : config_.stop_ids)
            if (id < 0 || id >= checkpoint_->config().text.vocab)
                throw Error(ErrorKind::Input,
                            fmt::format("{}: the end token {} is not in the vocabulary of {}",
                                        checkpoint_->folder().string(), id,
                                        checkpoint_->config().text.vocab));
    }

    BatcherOptions batcher_options() const {
        BatcherOptions out;
        out.compute = options_.compute;
        out.threads = options_.threads;
        out.cache_bytes = *options_.cache_bytes;
        out.running = options_.running;
        out.step_tokens = options_.step_tokens;
        if (!tokenizer_) return out;
        if (tokenizer_->size() > checkpoint_->config().text.vocab)
            throw Error(ErrorKind::Input,
                        fmt::format("{}: tokenizer.json has {} tokens, the model {}",
                                    checkpoint_->folder().string(), tokenizer_->size(),
                                    checkpoint_->config().text.vocab));
        out.token_count = tokenizer_->size();
        return out;
    }

    mutable RealFileSystem files_;
    std::unique_ptr<Checkpoint> checkpoint_;
    EngineOptions options_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    Digest tokenizer_file_{};
    GenerationConfig config_;
    std::optional<TemplateSource> source_;
    std::optional<Error> no_template_;
    std::unique_ptr<ChatTemplate> chat_;
    std::unique_ptr<VisionModel> vision_;
    std::unique_ptr<Batcher> batcher_;
};

} // namespace

std::shared_ptr<Engine> Engine::open(const Path& folder, const EngineOptions& options) {
    return std::make_shared<OpenEngine>(folder, options);
}

} // namespace assay::engine
