// The budgets of one try and of the whole run, counted by the recording models. Thread-safe.
#pragma once

#include "assay/api/model.h"
#include "assay/api/task.h"
#include "assay/base/cancel.h"

#include <mutex>
#include <optional>

namespace assay {

class CostMeter { // of the run: --max-cost
  public:
    CostMeter(std::optional<double> limit, double so_far, Cancel run)
        : limit_(limit)
        , run_(std::move(run)) {
        add(so_far); // a limit that was reached before lets nothing begin
    }
    void add(double cost);
    double spent() const;

  private:
    const std::optional<double> limit_;
    mutable std::mutex mutex_;
    double spent_ = 0;
    Cancel run_;
};

class TryBudget {
  public:
    TryBudget(const Budget& limit, CostMeter& meter)
        : limit_(limit)
        , meter_(meter) {}

    // The agent phase ends at a limit; before and after it (a judge) calls are only counted.
    void guard(std::optional<Cancel> agent_phase);
    // Before a call: cancels the agent phase and throws Interrupted if a limit is reached.
    void check();
    void count(bool agent_turn, const Usage& usage, double model_seconds, double queue_seconds);

    Usage usage() const;
    int turns() const;
    double model_seconds() const;
    double queue_seconds() const;

  private:
    std::optional<CancelReason> reached() const; // the mutex is held

    const Budget limit_;
    CostMeter& meter_;
    mutable std::mutex mutex_;
    std::optional<Cancel> guarded_;
    Usage usage_;
    int turns_ = 0;
    double model_seconds_ = 0, queue_seconds_ = 0;
};

} // namespace assay
