#include "assay/base/error.h"
#include "assay/base/text.h"
#include "factories.h"

#include <charconv>

namespace assay {

namespace {

// For the first `turns` calls of a role one call of the tool "shell", then a text.
class NullModel final : public Model {
  public:
    NullModel(int turns, std::string text)
        : turns_(turns)
        , text_(std::move(text)) {}

    std::string name() const override { return turns_ == 0 ? "null" : name_with_turns(); }
    ModelCapabilities capabilities() const override {
        ModelCapabilities can;
        can.tools = can.images = can.streaming = can.deterministic = true;
        return can;
    }
    std::string connection_key() const override { return {}; }
    std::optional<Digest> fingerprint() const override { return sha256(name_with_turns() + text_); }

    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        cancel.check();
        Completion out;
        out.model = "null";
        out.message.role = Role::Assistant;
        out.usage.prompt_tokens = 100;
        out.usage.completion_tokens = 10;
        if (request.seed.turn < turns_) {
            out.message.parts.push_back(ToolCall{"call_" + std::to_string(request.seed.turn),
                                                 "shell", R"({"command":"true"})"});
            out.finish = Finish::ToolCalls;
        } else {
            out.message.parts.push_back(TextPart{text_});
            out.finish = Finish::Stop;
            if (sink) sink({Delta::Kind::Text, text_});
        }
        return out;
    }

  private:
    std::string name_with_turns() const { return "null:turns=" + std::to_string(turns_); }
    int turns_;
    std::string text_;
};

} // namespace

std::unique_ptr<Model> make_null_model(std::string_view rest) {
    int turns = 0;
    std::string text = "done";
    for (std::string_view option : split(rest, ',')) {
        if (option.empty()) continue;
        std::size_t equals = option.find('=');
        std::string_view key = option.substr(0, equals);
        std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
        if (key == "text") {
            text = value;
            continue;
        }
        auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), turns);
        if (key != "turns" || error != std::errc() || end != value.data() + value.size() ||
            turns < 0)
            throw Error(ErrorKind::Usage, "model null: option '" + std::string(option) + "'")
                .hint("options: turns=N, text=WORDS");
    }
    return std::make_unique<NullModel>(turns, std::move(text));
}

} // namespace assay
