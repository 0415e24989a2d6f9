// A run over null parts, for measuring the harness alone: the real queue, state machine, recorder
// and agent, with a model and sandboxes that cost nothing.
#pragma once

#include "assay/run/run.h"
#include "assay/store/store.h"

#include <memory>

namespace assay {

struct NullRun {
    int trials = 1;
    int jobs = 1;
    int turns = 100;                 // of each trial
    std::shared_ptr<Model> model;    // absent: null:turns=N
    RunObserver* observer = nullptr; // absent: nobody looks
};

// Runs it to the end and returns the seconds from the first trial to the last finish().
double execute_null_run(const NullRun& run, RunStore& store);

PlanRecord null_plan(int trials);
std::unique_ptr<RunStore> make_null_store(PlanRecord plan); // accepts everything, keeps nothing

} // namespace assay
