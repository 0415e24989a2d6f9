#include "assay/engine/sampler.h"

#include "assay/base/error.h"
#include "assay/base/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay::engine {

namespace {

struct Candidate {
    std::int32_t id;
    double score; // logit, then probability
};

bool before(const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
}

void check_range(const char* name, double value, double least, double most) {
    if (value >= least && value <= most) return; // not true of NaN
    throw Error(ErrorKind::Usage,
                fmt::format("sampling: {}={} must be {:g} to {:g}", name, value, least, most));
}

double penalised(double logit, int times, const SamplerSettings& settings) {
    if (times == 0) return logit;
    logit = logit > 0 ? logit / settings.repetition_penalty : logit * settings.repetition_penalty;
    return logit - settings.presence_penalty - settings.frequency_penalty * times;
}

std::vector<Candidate> candidates(std::span<const float> logits, const SamplerSettings& settings,
                                  const Seen& seen, const std::vector<bool>& allowed) {
    std::vector<Candidate> out;
    out.reserve(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (!allowed.empty() && (i >= allowed.size() || !allowed[i])) continue;
        const auto id = static_cast<std::int32_t>(i);
        auto found = seen.find(id);
        out.push_back(
            {id, penalised(logits[i], found == seen.end() ? 0 : found->second, settings)});
    }
    if (out.empty()) throw Error(ErrorKind::Model, "no token may be chosen here");
    return out;
}

// Leaves the candidates that may be drawn, ordered, with probabilities that need not sum to one.
void cut(std::vector<Candidate>& all, const SamplerSettings& settings) {
    if (settings.top_k > 0 && static_cast<std::size_t>(settings.top_k) < all.size()) {
        std::partial_sort(all.begin(), all.begin() + settings.top_k, all.end(), before);
        all.resize(static_cast<std::size_t>(settings.top_k));
    } else {
        std::sort(all.begin(), all.end(), before);
    }
    const double max = all.front().score;
    double sum = 0;
    for (Candidate& one : all) {
        one.score = std::exp((one.score - max) / settings.temperature);
        sum += one.score;
    }
    double kept = 0;
    std::size_t count = 0;
    while (count < all.size() && (count == 0 || kept < settings.top_p * sum))
        kept += all[count++].score;
    while (count > 1 && all[count - 1].score < settings.min_p * all.front().score) --count;
    all.resize(count);
}

std::int32_t drawn(const std::vector<Candidate>& all, double draw) {
    double sum = 0;
    for (const Candidate& one : all) sum += one.score;
    double at = 0;
    for (const Candidate& one : all) {
        at += one.score;
        if (draw * sum < at) return one.id;
    }
    return all.back().id; // rounding
}

} // namespace

void check(const SamplerSettings& settings) {
    check_range("temperature", settings.temperature, 0, 100);
    check_range("top_p", settings.top_p, 0, 1);
    check_range("top_k", settings.top_k, 0, 1e9);
    check_range("min_p", settings.min_p, 0, 1);
    check_range("repetition_penalty", settings.repetition_penalty, 0.01, 100);
    check_range("presence_penalty", settings.presence_penalty, -100, 100);
    check_range("frequency_penalty", settings.frequency_penalty, -100, 100);
}

namespace {

// The logarithm of the sum of all exponentials.
double log_sum(std::span<const float> logits) {
    double max = -INFINITY;
    for (float logit : logits) {
        if (!std::isfinite(logit))
            throw Error(ErrorKind::Model, "the model's logits are not finite")
                .hint("`assay engine inspect --check` looks for weights that are not numbers");
        max = std::max<double>(max, logit);
    }
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit - max);
    return max + std::log(sum);
}

TokenChoice judged(std::span<const float> logits, double sum, std::int32_t id, int alternatives) {
    auto logprob = [&](std::int32_t of) {
        return static_cast<float>(logits[static_cast<std::size_t>(of)] - sum);
    };
    TokenChoice out{id, logprob(id), {}};
    if (alternatives <= 0) return out;
    std::vector<Candidate> raw;
    for (std::size_t i = 0; i < logits.size(); ++i)
        raw.push_back({static_cast<std::int32_t>(i), logits[i]});
    const auto count = std::min(raw.size(), static_cast<std::size_t>(alternatives));
    std::partial_sort(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(count), raw.end(),
                      before);
    for (std::size_t i = 0; i < count; ++i) out.top.emplace_back(raw[i].id, logprob(raw[i].id));
    return out;
}

} // namespace

TokenChoice judge(std::span<const float> logits, std::int32_t id, int alternatives) {
    return judged(logits, log_sum(logits), id, alternatives);
}

TokenChoice choose(std::span<const float> logits, const SamplerSettings& settings, const Seen& seen,
                   const std::vector<bool>& allowed, double draw, int alternatives) {
    const double sum = log_sum(logits);
    std::vector<Candidate> all = candidates(logits, settings, seen, allowed);
    if (settings.temperature == 0)
        return judged(logits, sum, std::min_element(all.begin(), all.end(), before)->id,
                      alternatives);
    cut(all, settings);
    return judged(logits, sum, drawn(all, draw), alternatives);
}

double draw_for(std::string_view seed_key, std::uint64_t token) {
    CounterRandom random(fmt::format("{}/token/{}", seed_key, token));
    return random.uniform();
}

} // namespace assay::engine
