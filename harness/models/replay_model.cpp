#include "assay/api/trial.h"
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "factories.h"

#include <fmt/format.h>

namespace assay {

namespace {

// Answers call by call from a recording, and holds the messages that are new in each call against
// it: the first that differs is where the runs part.
class ReplayModel final : public Model {
  public:
    ReplayModel(std::shared_ptr<RecordingSource> source, std::string spec, bool loose,
                const ModelOptions& options)
        : source_(std::move(source))
        , spec_(std::move(spec))
        , loose_(loose)
        , context_tokens_(options.context_tokens)
        , redactor_(options.redactor)
        , warn_(options.warn) {}

    std::string name() const override { return spec_; }
    ModelCapabilities capabilities() const override {
        ModelCapabilities can;
        can.tools = can.images = can.deterministic = true;
        can.context_tokens = context_tokens_;
        return can;
    }
    std::string connection_key() const override { return {}; }

    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        cancel.check();
        const SeedKey& key = request.seed;
        std::optional<RecordedCall> call = source_->call(key.task, key.attempt, key.role, key.turn);
        if (!call)
            throw ModelError(ModelFault::ReplayMismatch,
                             where(key) + ": the recorded run has no such call; it ended before");
        if (auto difference = compare(request.messages, call->added_message_hashes))
            report(request, *difference);
        if (call->error) throw ModelError(*call->error);
        if (call->interrupted) throw Interrupted(*call->interrupted);
        Completion out = std::move(call->completion);
        out.id = {};
        out.queue_seconds = 0;
        out.tries = 1;
        if (sink) sink({Delta::Kind::Text, out.message.text()});
        return out;
    }

  private:
    std::string where(const SeedKey& key) const {
        return fmt::format("{}: task '{}', attempt {}, role {}, turn {}", spec_, key.task,
                           key.attempt, key.role, key.turn);
    }

    // The recorded messages are the last ones of the prompt, without its secrets.
    std::optional<std::string> compare(const std::vector<MessageRef>& messages,
                                       const std::vector<std::string>& hashes) const {
        if (messages.size() < hashes.size())
            return fmt::format("{} messages in all, but {} new ones were recorded", messages.size(),
                               hashes.size());
        std::size_t first = messages.size() - hashes.size();
        for (std::size_t i = 0; i < hashes.size(); ++i) {
            std::string json = to_json(*messages[first + i]);
            if (redactor_ != nullptr) json = redactor_->clean(std::move(json));
            if (sha256(json).hex() == hashes[i]) continue;
            constexpr std::size_t kShown = 300;
            std::string begin = json.substr(0, utf8_floor(json, std::min(kShown, json.size())));
            return fmt::format("message {} (new message {} of {}, from {}) differs from the "
                               "recorded one; here it begins: {}",
                               first + i + 1, i + 1, hashes.size(),
                               to_string(messages[first + i]->role), begin);
        }
        return std::nullopt;
    }

    void report(const CompletionRequest& request, const std::string& difference) const {
        std::string text = where(request.seed) + ": " + difference;
        if (!loose_) throw ModelError(ModelFault::ReplayMismatch, text);
        log_warn("{}", text);
        if (warn_) warn_(text);
        if (request.events != nullptr)
            request.events->emit(EventKind::Note,
                                 fmt::format(R"({{"text":{}}})", json_quote(text)));
    }

    std::shared_ptr<RecordingSource> source_;
    const std::string spec_;
    const bool loose_;
    const std::optional<std::uint64_t> context_tokens_;
    const Redactor* const redactor_;
    const std::function<void(const std::string&)> warn_;
};

} // namespace

std::unique_ptr<Model> make_replay_model(std::string_view rest, const ModelOptions& options) {
    constexpr std::string_view kLoose = "@loose";
    std::string spec = "replay:" + std::string(rest);
    bool loose = rest.ends_with(kLoose);
    if (loose) rest.remove_suffix(kLoose.size());
    if (rest.empty())
        throw Error(ErrorKind::Usage, "model replay: the run is missing")
            .hint("replay:RUN.db, or replay:RUN.db@loose to go on after a difference");
    if (!options.open_recording)
        throw Error(ErrorKind::Unsupported, "model replay: recordings cannot be read here");
    return std::make_unique<ReplayModel>(options.open_recording(std::string(rest)), spec, loose,
                                         options);
}

} // namespace assay
