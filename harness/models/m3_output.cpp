#include "m3_output.h"

#include "assay/base/error.h"

#include <algorithm>

namespace assay {

namespace {

bool in(const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Bytes at the end of `text` that begin `stop`.
std::size_t begun(std::string_view text, std::string_view stop) {
    for (std::size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size)
        if (text.ends_with(stop.substr(0, size))) return size;
    return 0;
}

} // namespace

std::string StopStrings::feed(std::string_view text) {
    if (hit_) return {};
    pending_ += text;
    std::size_t end = std::string::npos, held = 0;
    for (const std::string& stop : stops_) {
        if (stop.empty()) continue;
        if (std::size_t at = pending_.find(stop); at < end) {
            end = at;
            which_ = stop;
        }
        held = std::max(held, begun(pending_, stop));
    }
    hit_ = end != std::string::npos;
    std::string out = pending_.substr(0, hit_ ? end : pending_.size() - held);
    pending_.erase(0, hit_ ? std::string::npos : out.size());
    return out;
}

std::string StopStrings::finish() {
    return std::exchange(pending_, {});
}

std::function<bool(const engine::TokenChoice&)>
stop_watch(std::shared_ptr<const engine::Tokenizer> tokenizer, std::vector<std::string> stops) {
    if (stops.empty()) return {};
    struct Watch {
        Watch(std::shared_ptr<const engine::Tokenizer> of, std::vector<std::string> strings)
            : tokenizer(std::move(of))
            , text(*tokenizer, engine::SpecialTokens::Keep)
            , found(std::move(strings)) {}
        std::shared_ptr<const engine::Tokenizer> tokenizer;
        engine::TextStream text;
        StopStrings found;
    };
    auto watch = std::make_shared<Watch>(std::move(tokenizer), std::move(stops));
    return [watch](const engine::TokenChoice& choice) {
        watch->found.feed(watch->text.push(choice.id));
        return watch->found.hit();
    };
}

M3Output::M3Output(const engine::Engine& engine, const Settings& settings, const DeltaSink& sink)
    : engine_(engine)
    , sink_(sink)
    , plain_(settings.plain)
    , text_(engine.tokenizer(), engine::SpecialTokens::Keep)
    , stops_(settings.stop)
    , parser_(engine::OutputParser::create(settings.thinking, settings.tools)) {}

void M3Output::push(const engine::TokenChoice& choice) {
    if (in(engine_.stop_ids(), choice.id)) {
        ended_ = true;
        return;
    }
    std::string text = text_.push(choice.id);
    raw_ += text;
    feed(stops_.feed(text));
    if (reasoning_) ++reasoning_tokens_;
}

void M3Output::finish() {
    std::string rest = text_.finish();
    raw_ += rest;
    std::string last = stops_.feed(rest);
    feed(last + stops_.finish());
    if (plain_) return;
    for (const engine::OutputDelta& delta : parser_->finish()) tell(delta);
}

void M3Output::feed(std::string_view text) {
    if (text.empty()) return;
    if (plain_) {
        said_ += text;
        if (sink_) sink_({Delta::Kind::Text, text});
        return;
    }
    for (const engine::OutputDelta& delta : parser_->feed(text)) tell(delta);
}

void M3Output::tell(const engine::OutputDelta& delta) {
    using Kind = engine::OutputDelta::Kind;
    reasoning_ = delta.kind == Kind::Reasoning;
    Delta::Kind kind = Delta::Kind::ToolCall;
    if (delta.kind == Kind::Reasoning) kind = Delta::Kind::Reasoning;
    if (delta.kind == Kind::Content) kind = Delta::Kind::Text;
    if (sink_) sink_({kind, delta.text});
}

Message M3Output::message(std::size_t first_call) const {
    Message out;
    out.role = Role::Assistant;
    if (plain_) {
        out.parts.push_back(TextPart{said_});
        return out;
    }
    const engine::ParsedOutput& parsed = parser_->result();
    if (!parsed.reasoning.empty()) out.parts.push_back(ReasoningPart{parsed.reasoning, {}});
    if (!parsed.content.empty()) out.parts.push_back(TextPart{parsed.content});
    for (const engine::ParsedCall& call : parsed.calls)
        out.parts.push_back(
            ToolCall{"call_" + std::to_string(first_call++), call.name, call.arguments});
    return out;
}

} // namespace assay
