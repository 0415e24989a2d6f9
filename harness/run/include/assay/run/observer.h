// What a run tells while it runs: for a progress printer. Calls come from the trials' threads and
// must be quick; they never wait for one another inside the run.
#pragma once

#include "assay/api/model.h"
#include "assay/store/records.h"

#include <string>
#include <string_view>

namespace assay {

struct RunResult {
    std::size_t planned = 0;   // slots this start was asked to run
    std::size_t scored = 0;    // ended with an accepted try
    std::size_t in_error = 0;  // infrastructure or verifier errors, after all retries
    std::size_t cancelled = 0; // begun and broken off
    std::size_t untouched = 0; // never begun
    bool drained = false;      // asked to stop after the running ones
    bool stopped = false;      // broken off: Ctrl-C twice
    bool cost_limit = false;   // --max-cost reached
    double cost = 0;           // US dollars, earlier starts included
};

class RunObserver {
  public:
    virtual ~RunObserver() = default;
    virtual void run_began(std::size_t slots, int jobs) = 0;
    virtual void trial_began(const SlotRecord& slot, int number) = 0;
    virtual void phase_began(const SlotRecord& slot, std::string_view phase) = 0;
    virtual void model_called(const SlotRecord& slot, int turns, const Usage& usage) = 0;
    virtual void trial_ended(const SlotRecord& slot, int number, const TryEnd& end,
                             bool will_retry) = 0;
    virtual void note(std::string_view text) = 0;
    virtual void run_ended(const RunResult& result) = 0;
};

class SilentObserver : public RunObserver { // also a base for those that want only some
  public:
    void run_began(std::size_t, int) override {}
    void trial_began(const SlotRecord&, int) override {}
    void phase_began(const SlotRecord&, std::string_view) override {}
    void model_called(const SlotRecord&, int, const Usage&) override {}
    void trial_ended(const SlotRecord&, int, const TryEnd&, bool) override {}
    void note(std::string_view) override {}
    void run_ended(const RunResult&) override {}
};

} // namespace assay
