// The conversation of the terminal agent, and its hand-over to a fresh context when it is full.
#pragma once

#include "assay/api/trial.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ChatSettings {
    Sampling sampling;
    bool keep_reasoning = false; // reasoning parts stay in the history
    std::uint64_t context_tokens = 1'000'000;
};

class TerminusChat {
  public:
    TerminusChat(TrialContext& context, ChatSettings settings)
        : context_(context)
        , settings_(std::move(settings))
        , model_(context.model("agent")) {}

    // Asks with the prompt behind the history and keeps both. Throws ModelError; then nothing of
    // it is kept.
    Completion ask(std::string prompt);

    // Of the context, after a prompt of so many bytes; estimated from the last call's usage.
    std::int64_t free_tokens(std::size_t prompt_bytes) const;

    // Drops exchanges from the end until about so many tokens are free, at least one.
    void drop_until_free(std::int64_t tokens);

    // A summary by the model, at least five questions by a fresh context, answers by the old one;
    // the history is then the first message and the questions. If that fails a short summary, at
    // last the bare task. Returns the prompt to go on with.
    std::string hand_over(std::string_view instruction, std::string_view screen,
                          std::string_view screen_text);
    // Forgets everything but the first message.
    std::string start_again(std::string_view instruction, std::string_view summary,
                            std::string_view screen);

    const std::vector<MessageRef>& messages() const { return messages_; }

  private:
    struct Answer {
        MessageRef message;
        Completion completion;
    };
    Answer complete(std::vector<MessageRef> messages, std::optional<Id> parent);
    std::string hand_over_in_full(std::string_view instruction, std::string_view screen);

    TrialContext& context_;
    ChatSettings settings_;
    Model& model_;
    std::vector<MessageRef> messages_;
    std::optional<Id> parent_;
    std::uint64_t known_tokens_ = 0; // of messages_ as of the last call
    std::size_t known_bytes_ = 0;
};

} // namespace assay
