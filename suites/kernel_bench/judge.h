// Judges one answer to one task: build, correctness, timing, flags, scores.
#pragma once

#include "assay/api/suite.h"
#include "assay/base/clock.h"
#include "assay/base/random.h"
#include "once_per_key.h"
#include "samples.h"
#include "task.h"
#include "tensors.h"
#include "workshop.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace assay::kernel_bench {

struct JudgeOptions {
    int seeds = 3;                 // per case, at least 3
    int batch = 10;                // timed calls between two looks at our own clock
    int max_trials = 60;           // timed calls of the answer per case
    double seconds_per_case = 3.0; // time cap of the timing of one case
    double target_error = 0.005;   // stop rule: relative standard error of the mean
    unsigned settle_milliseconds = 5;

    // Tests only, to show that an attack succeeds without its guard. The product leaves them.
    std::uint32_t unguarded = 0; // bits of kt_wire::Unguarded
    bool wall_time_only = false; // whatever else the machine does
    bool repeat_data = false;    // the same data at the same address in every call
    bool skip_scan = false;      // no look at the built library
    bool ignore_flags = false;   // a voiding flag does not void
};

struct CaseResult {
    std::string name;
    bool timed = false;
    std::uint64_t calls = 0;              // verified
    Comparison worst;                     // over all outputs and calls
    std::vector<double> answer, baseline; // seconds, by one clock
    bool by_cpu_time = false;             // other work disturbed the wall clock, see judge.cpp
    Interval time;                        // median of the answer
    double gflops = 0, gbytes = 0;
    double peak_fraction = 0;
};

struct Verdict {
    bool built = false, correct = false, voided = false;
    std::string reason; // why it is not built, not correct or void; for people
    std::string build_log;
    double build_seconds = 0;
    std::set<std::string> flags, degenerate;
    std::vector<std::string> signals; // of the static look at the source
    std::vector<CaseResult> cases;
    Interval speedup;                        // over the baseline
    double peak_fraction = 0;                // geometric mean
    double peak_gflops = 0, peak_gbytes = 0; // measured here and now
    std::string toolchain;                   // the compiler's own version line
    std::string cpus;                        // that all timed calls were bound to; empty: not bound
    std::string seed_hex, commitment;
    std::string code_sha256;
};

// What the judge tells while it works; all may be empty.
struct JudgeHooks {
    std::function<void(std::string)> note;
    std::function<std::unique_ptr<ExclusiveHold>()> exclusive;
};

// What is built from trusted source and then tried against itself, once a task. Thread-safe.
class TrustedBuilds {
  public:
    struct Set {
        std::string runner, reference, baseline, peaks, toolchain;
        std::set<std::string> degenerate; // trivial answers that the task would let pass
    };
    // Throws Error(Verifier) if the task's own code does not build, or its baseline is wrong.
    std::shared_ptr<const Set> get(const KernelTask& task, const Path& suite_folder,
                                   Workshop& workshop, Random& secret, const Cancel& cancel);

  private:
    OncePerKey<std::string> builds_; // by their sources and arguments
    OncePerKey<Set> by_digest_;
};

// Throws Error(Verifier) or Error(Sandbox) for our own trouble; whatever the answer does wrong is
// in the verdict.
Verdict judge(const KernelTask& task, std::string_view source, const TrustedBuilds::Set& trusted,
              const Path& suite_folder, Workshop& workshop, Random& secret,
              const JudgeOptions& options, const JudgeHooks& hooks, const Cancel& cancel);

// The task's baseline against its reference, and trivial answers against its tolerances, on data of
// their own. Returns the trivial answers that pass; throws Error(Verifier) if the baseline does
// not.
std::set<std::string> self_test(const KernelTask& task, const TrustedBuilds::Set& trusted,
                                const Path& suite_folder, Workshop& workshop, Random& secret,
                                const Cancel& cancel);

// The arguments of g++ for an answer to the task.
std::vector<std::string> build_arguments(const KernelTask& task, const std::string& file);

ScoreResult score_of(const KernelTask& task, const Verdict& verdict);
// The record of §2.5 as JSON, without the raw samples (those are Measurements).
std::string record_of(const KernelTask& task, const Verdict& verdict);
std::vector<Measurement> measurements_of(const KernelTask& task, const Verdict& verdict);

} // namespace assay::kernel_bench
