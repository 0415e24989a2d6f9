#include "terminus_chat.h"

#include "assay/base/text.h"
#include "terminus_prompts.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

namespace {

constexpr double kBytesPerToken = 4; // until a call has told

std::size_t bytes_of(const std::vector<MessageRef>& messages) {
    std::size_t sum = 0;
    for (const MessageRef& message : messages) sum += message->text().size();
    return sum;
}

MessageRef without_reasoning(MessageRef message) {
    auto is_reasoning = [](const ContentPart& part) {
        return std::holds_alternative<ReasoningPart>(part);
    };
    if (std::none_of(message->parts.begin(), message->parts.end(), is_reasoning)) return message;
    Message copy = *message;
    std::erase_if(copy.parts, is_reasoning);
    return std::make_shared<const Message>(std::move(copy));
}

// Faults that a shorter or different prompt may mend; others end the trial.
bool is_about_the_prompt(ModelFault fault) {
    return fault == ModelFault::ContextOverflow || fault == ModelFault::BadRequest ||
           fault == ModelFault::Refused;
}

} // namespace

TerminusChat::Answer TerminusChat::complete(std::vector<MessageRef> messages,
                                            std::optional<Id> parent) {
    CompletionRequest request;
    request.messages = std::move(messages);
    request.sampling = settings_.sampling;
    request.seed = context_.seed_key("agent");
    request.parent = parent;
    Completion completion = model_.complete(request, {}, context_.cancel());
    auto message = std::make_shared<const Message>(completion.message);
    return {settings_.keep_reasoning ? message : without_reasoning(message), std::move(completion)};
}

Completion TerminusChat::ask(std::string prompt) {
    std::vector<MessageRef> messages = messages_;
    messages.push_back(user_message(std::move(prompt)));
    Answer answer = complete(messages, parent_);
    messages.push_back(answer.message);
    messages_ = std::move(messages);
    parent_ = answer.completion.id;
    known_tokens_ =
        answer.completion.usage.prompt_tokens + answer.completion.usage.completion_tokens;
    known_bytes_ = bytes_of(messages_);
    return std::move(answer.completion);
}

std::int64_t TerminusChat::free_tokens(std::size_t prompt_bytes) const {
    std::size_t bytes = bytes_of(messages_);
    double per_byte = known_tokens_ > 0 && known_bytes_ > 0
                          ? static_cast<double>(known_tokens_) / static_cast<double>(known_bytes_)
                          : 1 / kBytesPerToken;
    double used = static_cast<double>(bytes + prompt_bytes) * per_byte;
    return static_cast<std::int64_t>(settings_.context_tokens) - static_cast<std::int64_t>(used);
}

void TerminusChat::drop_until_free(std::int64_t tokens) {
    parent_.reset();
    do {
        if (messages_.size() < 3) return;
        messages_.resize(messages_.size() - 2);
    } while (free_tokens(0) < tokens);
}

std::string TerminusChat::hand_over_in_full(std::string_view instruction, std::string_view screen) {
    std::vector<MessageRef> old = messages_;
    old.push_back(user_message(prompts::summarize(instruction)));
    Answer summary = complete(old, parent_);
    old.push_back(summary.message);

    MessageRef ask =
        user_message(prompts::questions(instruction, summary.completion.message.text(), screen));
    Answer questions = complete({ask}, std::nullopt);

    old.push_back(user_message(prompts::answer_questions(questions.completion.message.text())));
    Answer answers = complete(old, summary.completion.id);

    messages_ = {messages_.front(), ask, questions.message};
    parent_.reset();
    return prompts::hand_over(answers.completion.message.text(), screen);
}

std::string TerminusChat::start_again(std::string_view instruction, std::string_view summary,
                                      std::string_view screen) {
    if (!messages_.empty()) messages_.resize(1);
    parent_.reset();
    return prompts::restart(instruction, summary, screen);
}

std::string TerminusChat::hand_over(std::string_view instruction, std::string_view screen,
                                    std::string_view screen_text) {
    constexpr std::size_t kTail = 1000;
    if (messages_.empty()) return start_again(instruction, {}, screen);
    std::string how = "summary, questions, answers";
    std::string prompt;
    try {
        prompt = hand_over_in_full(instruction, screen);
    } catch (const ModelError& e) {
        if (!is_about_the_prompt(e.fault())) throw;
        std::size_t from = screen_text.size() > kTail ? screen_text.size() - kTail : 0;
        std::string_view tail = screen_text.substr(utf8_ceil(screen_text, from));
        std::string summary;
        how = "short summary";
        try {
            Answer answer =
                complete({user_message(prompts::short_summary(instruction, tail))}, std::nullopt);
            summary = answer.completion.message.text();
        } catch (const ModelError& again) {
            if (!is_about_the_prompt(again.fault())) throw;
            how = "the bare task";
        }
        prompt = start_again(instruction, summary, screen);
    }
    context_.events().emit(
        EventKind::Note,
        fmt::format(R"({{"text":"the conversation was handed over to a fresh context","how":{}}})",
                    json_quote(how)));
    return prompt;
}

} // namespace assay
