#include "assay/engine/output_parser.h"

#include "assay/base/error.h"
#include "chat/invoke.h"
#include "chat/markers.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace assay::engine {

namespace {

using markers::Match;

constexpr std::size_t kLargestOutput = 256u << 20;
constexpr std::size_t kLargestInvoke = 16u << 20;
constexpr std::size_t kMostCalls = 1024;
constexpr std::size_t kMostLeadingSpace = 256;

// Holds back the shortest end of the text that may be the beginning of a marker, and within an
// invoke the whole of it. What it decides depends only on text before the place of the decision,
// never on where a piece ended.
class Parser final : public OutputParser {
  public:
    Parser(ThinkingMode mode, std::string_view tools)
        : schemas_(tools)
        , state_(mode == ThinkingMode::Enabled ? State::StartInside : State::Start) {}

    std::vector<OutputDelta> feed(std::string_view text,
                                  std::span<const std::int32_t> ids) override {
        if (text.size() > kLargestOutput - total_)
            throw Error(ErrorKind::Input, "an output of more than 256 MiB");
        total_ += text.size();
        ids_.insert(ids_.end(), ids.begin(), ids.end());
        held_ += text;
        return run();
    }

    std::vector<OutputDelta> finish() override {
        ended_ = true;
        return run();
    }

    const ParsedOutput& result() const override { return result_; }
    const std::vector<std::int32_t>& ids() const override { return ids_; }

  private:
    enum class State {
        Start,       // a think marker may come first
        StartInside, // of the reasoning: <mm:think> may be repeated
        Reasoning,
        Content,
        Block,  // between invokes
        Invoke, // at_ is at its NS
        After,  // a block: dropped, but for another block
        Rest,   // behind something malformed: content as it stands
    };

    std::vector<OutputDelta> run() {
        while (step()) {
        }
        held_.erase(0, at_);
        searched_ -= std::min(searched_, at_);
        at_ = 0;
        return std::exchange(deltas_, {});
    }

    // One decision; false if it takes more text.
    bool step() {
        switch (state_) {
        case State::Start:
        case State::StartInside:
            return start();
        case State::Reasoning:
            return reasoning();
        case State::Content:
        case State::After:
            return content();
        case State::Block:
            return block();
        case State::Invoke:
            return invoke();
        case State::Rest:
            return take(OutputDelta::Kind::Content, held_.size());
        }
        return false;
    }

    // More text may still change what was seen.
    bool undecided(const Match& match) const { return match.partial() && !ended_; }

    Match match(std::size_t at, std::string_view marker) const {
        return markers::match(held_, at, marker);
    }

    // The text up to `end` goes out; true if there was any.
    bool take(OutputDelta::Kind kind, std::size_t end) {
        if (end == at_) return false;
        std::string text = held_.substr(at_, end - at_);
        at_ = end;
        bool reasoning = kind == OutputDelta::Kind::Reasoning;
        (reasoning ? result_.reasoning : result_.content) += text;
        if (!deltas_.empty() && deltas_.back().kind == kind)
            deltas_.back().text += text;
        else
            deltas_.push_back({kind, 0, std::move(text)});
        return true;
    }

    bool move(State state, std::size_t to) {
        state_ = state;
        at_ = to;
        return true;
    }

    bool start() {
        bool inside = state_ == State::StartInside;
        State otherwise = inside ? State::Reasoning : State::Content;
        std::size_t at = markers::skip_space(held_, at_);
        if (at - at_ > kMostLeadingSpace) return move(otherwise, at_);
        if (at == held_.size() && !ended_) return false;
        Match open = match(at, markers::kThink), close = match(at, markers::kThinkEnd);
        if (open.yes()) return move(State::Reasoning, open.end);
        if (close.yes()) return move(State::Content, close.end);
        if (undecided(open) || undecided(close)) return false;
        return move(otherwise, at_);
    }

    bool reasoning() {
        for (std::size_t at = at_;; ++at) {
            at = std::min(held_.find('<', at), held_.size());
            Match close = at < held_.size() ? match(at, markers::kThinkEnd) : Match{};
            if (close.no() && at < held_.size()) continue;
            take(OutputDelta::Kind::Reasoning, at);
            if (close.yes()) return move(State::Content, close.end);
            if (ended_) return take(OutputDelta::Kind::Reasoning, held_.size());
            return false;
        }
    }

    void plain(std::size_t end) {
        if (state_ == State::Content)
            take(OutputDelta::Kind::Content, end);
        else
            at_ = end;
    }

    bool content() {
        for (std::size_t at = at_;; ++at) {
            at = std::min(held_.find_first_of("<]", at), held_.size());
            if (at == held_.size()) {
                plain(at);
                return false;
            }
            if (held_[at] == '<') {
                Match close = match(at, markers::kThinkEnd);
                if (close.no()) continue;
                plain(at);
                if (close.yes()) return move(state_, close.end);
                if (!ended_) return false;
            } else {
                Match block = markers::match_tag(held_, at, "<tool_call>");
                Match invoke = markers::match_invoke(held_, at);
                if (block.no() && invoke.no()) continue;
                plain(at);
                if (block.yes()) return move(State::Block, block.end);
                if (invoke.yes()) return begin_invoke(at, false);
                if (!ended_) return false;
            }
        }
    }

    bool begin_invoke(std::size_t at, bool in_block) {
        searched_ = at + 1;
        in_block_ = in_block;
        return move(State::Invoke, at);
    }

    bool malformed() { return move(State::Rest, at_); }

    bool block() {
        at_ = markers::skip_space(held_, at_);
        std::size_t at = at_;
        if (at == held_.size()) return false;
        Match close = markers::match_tag(held_, at, "</tool_call>");
        Match invoke = markers::match_invoke(held_, at);
        if (close.yes()) return move(State::After, close.end);
        if (invoke.yes()) return begin_invoke(at, true);
        if (undecided(close) || undecided(invoke)) return false;
        return malformed();
    }

    bool invoke() {
        std::size_t limit = at_ + kLargestInvoke;
        for (std::size_t at = searched_;; ++at) {
            at = std::min(held_.find(']', at), held_.size());
            if (at > limit) return malformed();
            searched_ = at;
            if (at == held_.size()) return ended_ ? malformed() : false;
            Match close = markers::match_tag(held_, at, "</invoke>");
            if (undecided(close)) return false;
            if (close.yes()) return end_invoke(at, close.end);
        }
    }

    bool end_invoke(std::size_t end, std::size_t behind) {
        std::size_t head = markers::match_invoke(held_, at_).end;
        std::optional<ParsedCall> call;
        if (result_.calls.size() < kMostCalls)
            call = parse_invoke(std::string_view(held_).substr(head, end - head), schemas_);
        if (!call) return malformed();
        std::size_t number = result_.calls.size();
        deltas_.push_back({OutputDelta::Kind::CallName, number, call->name});
        deltas_.push_back({OutputDelta::Kind::CallArguments, number, call->arguments});
        result_.calls.push_back(std::move(*call));
        return move(in_block_ ? State::Block : State::After, behind);
    }

    ToolSchemas schemas_;
    State state_;
    ParsedOutput result_;
    std::vector<std::int32_t> ids_;
    std::vector<OutputDelta> deltas_;
    std::string held_;
    std::size_t at_ = 0;       // what lies before is decided
    std::size_t searched_ = 0; // of an invoke: no end lies before
    std::size_t total_ = 0;
    bool in_block_ = false;
    bool ended_ = false;
};

} // namespace

std::unique_ptr<OutputParser> OutputParser::create(ThinkingMode mode, std::string_view tools) {
    return std::make_unique<Parser>(mode, tools);
}

ParsedOutput parse_output(std::string_view text, ThinkingMode mode, std::string_view tools) {
    auto parser = OutputParser::create(mode, tools);
    parser->feed(text);
    parser->finish();
    return parser->result();
}

} // namespace assay::engine
