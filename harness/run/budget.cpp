#include "budget.h"

#include <fmt/format.h>

namespace assay {

void CostMeter::add(double cost) {
    std::unique_lock lock(mutex_);
    spent_ += cost;
    bool over = limit_ && spent_ >= *limit_;
    double spent = spent_;
    lock.unlock();
    if (over)
        run_.cancel(Cause::RunCostLimit, fmt::format("{:.4f} of {:.4f} dollars", spent, *limit_));
}

double CostMeter::spent() const {
    std::lock_guard lock(mutex_);
    return spent_;
}

void TryBudget::guard(std::optional<Cancel> agent_phase) {
    std::lock_guard lock(mutex_);
    guarded_ = std::move(agent_phase);
}

std::optional<CancelReason> TryBudget::reached() const {
    if (limit_.turns && turns_ >= *limit_.turns)
        return CancelReason{Cause::TurnLimit, fmt::format("{} turns", *limit_.turns)};
    std::uint64_t tokens = usage_.prompt_tokens + usage_.completion_tokens;
    if (limit_.tokens && tokens >= *limit_.tokens)
        return CancelReason{Cause::TokenLimit,
                            fmt::format("{} of {} tokens", tokens, *limit_.tokens)};
    if (limit_.cost && usage_.cost && *usage_.cost >= *limit_.cost)
        return CancelReason{Cause::CostLimit,
                            fmt::format("{:.4f} of {:.4f} dollars", *usage_.cost, *limit_.cost)};
    return std::nullopt;
}

void TryBudget::check() {
    std::unique_lock lock(mutex_);
    if (!guarded_) return;
    auto why = reached();
    if (!why) return;
    Cancel phase = *guarded_;
    lock.unlock();
    phase.cancel(why->cause, why->detail);
    phase.check();
}

void TryBudget::count(bool agent_turn, const Usage& usage, double model_seconds,
                      double queue_seconds) {
    {
        std::lock_guard lock(mutex_);
        usage_ = usage_ + usage;
        turns_ += agent_turn ? 1 : 0;
        model_seconds_ += model_seconds;
        queue_seconds_ += queue_seconds;
    }
    if (usage.cost) meter_.add(*usage.cost);
}

Usage TryBudget::usage() const {
    std::lock_guard lock(mutex_);
    return usage_;
}
int TryBudget::turns() const {
    std::lock_guard lock(mutex_);
    return turns_;
}
double TryBudget::model_seconds() const {
    std::lock_guard lock(mutex_);
    return model_seconds_;
}
double TryBudget::queue_seconds() const {
    std::lock_guard lock(mutex_);
    return queue_seconds_;
}

} // namespace assay
