// What the harness itself costs: the agent `tools` against the null model in null sandboxes. A turn
// is a model call, a tool call that execs in the sandbox, and what is stored about them: the call,
// the events model, tool_call, exec, tool_result, the new messages and outputs as blobs.
#include "assay/base/cancel.h"
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "bench.h"
#include "bench_parts.h"

#include <fmt/format.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace assay {

namespace {

constexpr int kTurns = 100;
constexpr int kJobs = 16; // so that the ends of trials share a write to the disk
constexpr int kRepeats = 5;
constexpr int kWaiting = 1000; // trials in a model call, for the memory of one

class OneCore { // this thread and those it starts
  public:
    OneCore() {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &before_)) {
                CPU_SET(cpu, &one);
                break;
            }
        ::sched_setaffinity(0, sizeof one, &one);
    }
    ~OneCore() { ::sched_setaffinity(0, sizeof before_, &before_); }
    OneCore(const OneCore&) = delete;
    OneCore& operator=(const OneCore&) = delete;

  private:
    cpu_set_t before_;
};

double cpu_seconds() { // of this process, user and system
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::unique_ptr<RunStore> new_store(const Path& folder, int trials, bool stored) {
    PlanRecord plan = null_plan(trials);
    if (!stored) return make_null_store(std::move(plan));
    static int number = 0;
    return RunStore::create(folder / fmt::format("bench-{}.db", ++number), plan, {});
}

struct Rate {
    double wall = 0, cpu = 0; // turns in a second of the clock, and of the processor
};

Rate turns_per_second(const Path& folder, int trials, bool stored) {
    auto store = new_store(folder, trials, stored);
    NullRun run;
    run.trials = trials;
    run.jobs = kJobs;
    run.turns = kTurns;
    double before = cpu_seconds();
    double wall = execute_null_run(run, *store);
    return {trials * kTurns / wall, trials * kTurns / (cpu_seconds() - before)};
}

// On a machine that others use too, the second number is the one to compare.
void turns(const Path& folder, double seconds, bool stored, std::vector<BenchNumber>& out) {
    // Warms up, and says how many trials to run.
    double rate = turns_per_second(folder, kJobs, stored).wall;
    int trials = std::clamp(static_cast<int>(rate * seconds / kRepeats / kTurns), kJobs, 2000);
    std::string what = stored ? "store on" : "no store";
    BenchNumber wall{"turns, " + what + ", one core", "turns/s"};
    BenchNumber cpu{"turns, " + what + ", by processor time", "turns/CPU s"};
    for (int i = 0; i < kRepeats; ++i) {
        Rate sample = turns_per_second(folder, trials, stored);
        wall.samples.push_back(sample.wall);
        cpu.samples.push_back(sample.cpu);
    }
    wall.value = median(wall.samples);
    cpu.value = median(cpu.samples);
    if (stored) wall.goal = 5000;
    out.push_back(std::move(wall));
    out.push_back(std::move(cpu));
}

// Proportional set size of this process in KiB.
double pss_kib() {
    std::string text = RealFileSystem().read("/proc/self/smaps_rollup", 1 << 16);
    for (std::string_view line : split_lines(text)) {
        if (!line.starts_with("Pss:")) continue;
        std::string_view rest = trim(line.substr(4));
        double value = 0;
        std::from_chars(rest.data(), rest.data() + rest.size(), value);
        return value;
    }
    throw Error(ErrorKind::Unsupported, "the kernel shows no /proc/self/smaps_rollup");
}

// Answers nothing until all trials wait in it; then measures and lets them go.
class WaitingModel final : public Model {
  public:
    WaitingModel(int trials, double before)
        : trials_(trials)
        , before_(before) {}
    std::string name() const override { return "waiting"; }
    ModelCapabilities capabilities() const override {
        ModelCapabilities can;
        can.tools = true;
        return can;
    }
    std::string connection_key() const override { return ""; }
    Completion complete(const CompletionRequest& request, const DeltaSink&,
                        const Cancel& cancel) override {
        Completion out;
        out.message.role = Role::Assistant;
        out.finish = Finish::ToolCalls;
        if (request.seed.turn < 10) { // some conversation to hold
            out.message.parts.push_back(ToolCall{"c", "shell", R"({"command":"true"})"});
            return out;
        }
        std::unique_lock lock(mutex_);
        auto watch = cancel.on_cancel([] {}); // as a waiting call has
        if (++waiting_ == trials_) {
            per_trial_ = (pss_kib() - before_) / trials_;
            all_.notify_all();
        }
        all_.wait(lock, [this] { return waiting_ >= trials_; });
        out.message.parts.push_back(TextPart{"done"});
        out.finish = Finish::Stop;
        return out;
    }
    double per_trial() const { return per_trial_; }

  private:
    const int trials_;
    const double before_;
    std::mutex mutex_;
    std::condition_variable all_;
    int waiting_ = 0;
    double per_trial_ = 0;
};

BenchNumber memory(const Path& folder, int trials, bool stored) {
    auto store = new_store(folder, trials, stored);
    auto model = std::make_shared<WaitingModel>(trials, pss_kib());
    NullRun run;
    run.trials = run.jobs = trials;
    run.model = model;
    execute_null_run(run, *store);
    BenchNumber number{fmt::format("memory of a trial waiting in a model call, {}",
                                   stored ? "store on" : "no store"),
                       "KiB"};
    number.value = model->per_trial();
    number.samples = {number.value};
    number.goal = 64;
    number.at_least = false;
    return number;
}

} // namespace

std::vector<BenchNumber> bench_harness(const BenchSettings& settings) {
    TempFolder folder("assay-bench");
    std::vector<BenchNumber> out;
    // Memory first: what the turns leave in the allocator would hide in it.
    int trials = settings.jobs > 0 ? settings.jobs : kWaiting;
    out.push_back(memory(folder.path(), trials, false));
    out.push_back(memory(folder.path(), trials, true));
    OneCore pinned;
    turns(folder.path(), settings.seconds, false, out);
    turns(folder.path(), settings.seconds, true, out);
    return out;
}

} // namespace assay
