#include "m3_prompt.h"

#include "assay/base/text.h"

#include <algorithm>
#include <span>

namespace assay {

M3Prompt M3Prompter::prompt(const CompletionRequest& request, const std::vector<ToolSpec>& tools,
                            const std::string& thinking, const Cancel& cancel) {
    M3Prompt out;
    if (request.raw_prompt) {
        out.text = utf8_clean(*request.raw_prompt);
        out.ids = engine_.tokenizer().encode(out.text);
        return out;
    }
    M3Conversation conversation = m3_conversation(request.messages, tools, thinking, true);
    for (const BlobRef& image : conversation.images) out.images.push_back(image.hash);
    out.text = engine_.render(conversation.json);
    const auto turn = history_.find(request, out.text);
    std::optional<std::string_view> rest;
    // The same words beside other pictures are another conversation.
    if (turn && turn->images.size() <= out.images.size() &&
        std::equal(turn->images.begin(), turn->images.end(), out.images.begin()))
        rest = continuation(*turn, out.text, request, tools, thinking);
    if (rest) {
        out.ids = turn->ids;
        out.media = turn->media;
        conversation.images.erase(conversation.images.begin(),
                                  conversation.images.begin() + std::ssize(turn->images));
        if (request.parent) out.known = out.ids.size();
    } else if (request.parent) { // of which nothing is known here if it was forgotten
        const std::string before = turn ? turn->prompt + turn->raw : "";
        out.broken = static_cast<std::uint64_t>(
            std::mismatch(before.begin(), before.end(), out.text.begin(), out.text.end()).first -
            before.begin());
    }
    M3Images::Encoded more =
        images_.encode(engine_.tokenizer(), rest.value_or(out.text), conversation.images, cancel);
    for (engine::MediaRows& media : more.media) {
        media.first += std::ssize(out.ids);
        out.media.push_back(std::move(media));
    }
    out.ids.insert(out.ids.end(), more.ids.begin(), more.ids.end());
    return out;
}

// The text behind the ids of an earlier turn; nullopt: the prompt does not continue it.
std::optional<std::string_view> M3Prompter::continuation(const M3Turn& turn, std::string_view text,
                                                         const CompletionRequest& request,
                                                         const std::vector<ToolSpec>& tools,
                                                         const std::string& thinking) const {
    if (!text.starts_with(turn.prompt)) return std::nullopt;
    const std::string end = end_text(turn);
    const std::string_view after = text.substr(turn.prompt.size());
    if (after.starts_with(turn.raw)) {
        const std::string_view tail = after.substr(turn.raw.size());
        if (!turn.ended) return tail;
        if (tail.starts_with(end)) return tail.substr(end.size());
    }
    // The template may write a turn otherwise than the model did: the model's own words count.
    if (turn.messages >= request.messages.size() || end.empty() ||
        to_json(*request.messages[turn.messages]) != turn.message)
        return std::nullopt;
    const std::string up_to =
        engine_.render(m3_conversation(std::span(request.messages).first(turn.messages + 1), tools,
                                       thinking, false)
                           .json);
    const std::size_t at = up_to.rfind(end);
    if (!text.starts_with(up_to) || at == std::string::npos || at < turn.prompt.size())
        return std::nullopt;
    return text.substr(at + (turn.ended ? end.size() : 0));
}

// What ends a turn in the text of a prompt.
std::string M3Prompter::end_text(const M3Turn& turn) const {
    if (turn.ended) return engine_.tokenizer().decode(std::span(&turn.ids.back(), 1));
    const auto& stops = engine_.stop_ids();
    return stops.empty() ? "" : engine_.tokenizer().decode(std::span(&stops.front(), 1));
}

} // namespace assay
