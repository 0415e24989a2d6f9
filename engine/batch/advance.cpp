#include "advance.h"

#include <algorithm>

namespace assay::engine {

namespace {

std::vector<GivenRows> given_rows(const Job& job, std::int64_t begin, std::int64_t count,
                                  std::int64_t hidden) {
    std::vector<GivenRows> out;
    for (const MediaRows& media : job.request.media) {
        const auto rows = static_cast<std::int64_t>(media.rows->size()) / hidden;
        const std::int64_t from = std::max(begin, media.first);
        const std::int64_t to = std::min(begin + count, media.first + rows);
        if (from >= to) continue;
        out.push_back(
            {from - begin, std::span(*media.rows)
                               .subspan(static_cast<std::size_t>((from - media.first) * hidden),
                                        static_cast<std::size_t>((to - from) * hidden))});
    }
    return out;
}

// Empty: all ids.
std::vector<bool> allowed_ids(const Job& job, const AdvanceRules& rules) {
    const auto vocab = static_cast<std::size_t>(rules.vocab);
    const auto real = static_cast<std::size_t>(rules.token_count);
    std::vector<bool> out;
    if (job.request.constraint) {
        out = job.request.constraint->allowed();
        out.resize(vocab, false);
        if (job.request.constraint->complete())
            for (std::int32_t id : job.request.stop_ids) out[static_cast<std::size_t>(id)] = true;
    } else if (real != 0 && real < vocab) {
        out.assign(vocab, false);
        std::fill(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(real), true);
    }
    return out;
}

std::optional<Ended> ended_by(const Job& job, const TokenChoice& choice, std::int64_t context) {
    const auto& stops = job.request.stop_ids;
    if (std::find(stops.begin(), stops.end(), choice.id) != stops.end()) return Ended::StopId;
    if (job.request.stop && job.request.stop(choice)) return Ended::Stop;
    const auto made = job.length() - static_cast<std::int64_t>(job.request.prompt.size());
    if (made >= job.request.max_tokens) return Ended::MaxTokens;
    if (job.length() >= context) return Ended::ContextFull;
    return std::nullopt;
}

Advance sample(Job& job, std::span<const float> logits, const AdvanceRules& rules) {
    const std::vector<bool> allowed = allowed_ids(job, rules);
    const auto made = job.ids.size() - job.request.prompt.size();
    Advance out;
    if (!allowed.empty() && job.request.constraint && job.request.constraint->complete() &&
        std::find(allowed.begin(), allowed.end(), true) == allowed.end()) {
        out.ended = Ended::Stop; // it is all said, and the model has no token to say so
        return out;
    }
    TokenChoice choice = choose(logits, job.request.sampling, job.seen, allowed,
                                draw_for(job.request.seed_key, made), job.request.alternatives);
    job.append(choice);
    out.ended = ended_by(job, choice, rules.context);
    if (job.request.constraint && out.ended != Ended::StopId)
        job.request.constraint->accept(choice.id);
    out.tokens.push_back(std::move(choice));
    return out;
}

Advance judge_rows(Job& job, std::int64_t begin, std::span<const float> logits,
                   const AdvanceRules& rules) {
    Advance out;
    const auto width = static_cast<std::size_t>(rules.vocab);
    for (std::size_t i = 0; i * width < logits.size(); ++i) {
        const std::size_t next = static_cast<std::size_t>(begin) + i + 1;
        if (next != job.judged || next >= job.ids.size()) continue; // told before it was postponed
        ++job.judged;
        out.tokens.push_back(
            judge(logits.subspan(i * width, width), job.ids[next], job.request.alternatives));
    }
    if (job.open() == 0) out.ended = Ended::MaxTokens;
    return out;
}

} // namespace

Chunk chunk_of(const Piece& piece, int hidden) {
    Job& job = *piece.job;
    const std::int64_t begin = job.sequence->length();
    Chunk chunk;
    chunk.sequence = &*job.sequence;
    chunk.tokens = std::span<const std::int32_t>(job.ids).subspan(
        static_cast<std::size_t>(begin), static_cast<std::size_t>(piece.count));
    chunk.logits = Logits::None;
    if (job.scoring)
        chunk.logits = Logits::All;
    else if (piece.count == job.open())
        chunk.logits = Logits::Last;
    chunk.given = given_rows(job, begin, piece.count, hidden);
    return chunk;
}

std::int64_t rows_of_logits(const Piece& piece, const Chunk& chunk) {
    if (chunk.logits == Logits::All) return piece.count;
    return chunk.logits == Logits::Last ? 1 : 0;
}

Advance advance(const Piece& piece, std::int64_t begin, std::span<const float> logits,
                const AdvanceRules& rules) {
    Job& job = *piece.job;
    if (job.scoring) return judge_rows(job, begin, logits, rules);
    if (logits.empty()) return {};
    return sample(job, logits, rules);
}

} // namespace assay::engine
