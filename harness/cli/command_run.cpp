// assay run, plan, resume: they differ in where the plan and the store come from.
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "assay/io/reactor.h"
#include "assay/reports/report.h"
#include "assay/run/plan.h"
#include "assay/run/run.h"
#include "assay/store/plan_json.h"
#include "assay/store/reader.h"
#include "commands.h"
#include "environment_record.h"
#include "live_run.h"
#include "output_file.h"
#include "progress.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <optional>

namespace assay {

namespace {

std::map<Id, std::string> arm_labels(const PlanRecord& plan) {
    std::map<Id, std::string> labels;
    for (const ArmRecord& arm : plan.arms) labels[arm.id] = arm.label;
    return labels;
}

std::vector<SlotRecord> of_shard(const std::vector<SlotRecord>& slots, const std::string& shard) {
    if (shard.empty()) return slots;
    auto [index, count] = parse_shard(shard);
    return shard_slots(slots, index, count);
}

void print_refused(const PlanRecord& plan, std::FILE* out) {
    for (const auto& [task, why] : plan.refused)
        std::fprintf(out, "not run: %s: %s\n", task.c_str(), why.c_str());
}

int dry_run(const PlanRecord& plan, const std::vector<SlotRecord>& slots) {
    auto labels = arm_labels(plan);
    std::printf("suite %s %s, tasks from %s, seed %llu\n", plan.suite.c_str(),
                plan.suite_version.c_str(), plan.source.c_str(),
                static_cast<unsigned long long>(plan.seed));
    for (const ArmRecord& arm : plan.arms)
        std::printf("  %s%s\n", arm.label.c_str(),
                    arm.judge.empty() ? "" : (", judged by " + arm.judge).c_str());
    for (const SlotRecord& slot : slots)
        std::printf("%5lld  %s#%d  %s\n", static_cast<long long>(slot.order), slot.task.c_str(),
                    slot.attempt, labels[slot.arm].c_str());
    print_refused(plan, stdout);
    std::printf("%zu attempts would be run\n", slots.size());
    return 0;
}

// Ctrl-C once drains, twice breaks off, a third time leaves at once: what is left behind is removed
// by the sandboxes' janitor, and the store is consistent at every moment. SIGTERM breaks off.
class Interrupts {
  public:
    Interrupts(Run& run, RunObserver& observer)
        : run_(run)
        , observer_(observer)
        , watch_(reactor_.on_signals({SIGINT, SIGTERM, SIGHUP},
                                     [this](int number) { got(number); })) {}

  private:
    void got(int number) {
        int count = number == SIGINT ? ++count_ : std::max(2, ++count_);
        count_ = count;
        if (count == 1) {
            observer_.note("stopping: the running trials are finished, no new one is begun "
                           "(Ctrl-C again breaks them off)");
            run_.drain();
        } else if (count == 2) {
            observer_.note("breaking off: what is not finished is run again by `assay resume`");
            run_.stop(Cause::User, number == SIGINT ? "Ctrl-C" : "signal");
        } else {
            ::_exit(kExitStopped);
        }
    }

    Run& run_;
    RunObserver& observer_;
    std::atomic<int> count_ = 0;
    Reactor reactor_;
    Reactor::Watch watch_;
};

// A warning goes above the status line, not into it.
class LogAboveStatus {
  public:
    explicit LogAboveStatus(ProgressPrinter& progress) {
        log_cleaned([&progress](const LogRecord& record) {
            progress.note(fmt::format("assay: {}{}{}", record.scope,
                                      record.scope.empty() ? "" : ": ", record.message));
        });
    }
    ~LogAboveStatus() { log_cleaned(log_to_stderr); }
    LogAboveStatus(const LogAboveStatus&) = delete;
};

std::string status_of(const RunResult& result) {
    if (result.cost_limit && result.scored != result.planned) return "cost limit";
    if (result.stopped || (result.drained && result.untouched != 0)) return "stopped";
    return "complete";
}

int exit_code(const RunResult& result, bool all_have_a_result) {
    if (all_have_a_result) return 0;
    return status_of(result) == "complete" ? 1 : kExitStopped;
}

// `planned` and `open` are of the run or of its shard, `result` is of this start.
void print_summary(const RunResult& result, std::size_t planned, std::size_t open,
                   const RunArguments& arguments, const Path& file) {
    if (!arguments.quiet) std::fputs(leaderboard_text({file}).c_str(), stdout);
    for (const std::string& line : findings(file)) std::printf("%s\n", printable(line).c_str());
    std::string rest;
    if (result.planned != planned) rest += fmt::format(" ({} in this start)", result.scored);
    if (result.in_error != 0) rest += fmt::format(", {} in error", result.in_error);
    if (result.cancelled != 0) rest += fmt::format(", {} broken off", result.cancelled);
    if (result.untouched != 0) rest += fmt::format(", {} not begun", result.untouched);
    std::printf("%s: %zu of %zu attempts ended with a score%s\n", status_of(result).c_str(),
                planned - open, planned, rest.c_str());
    if (result.cost_limit) std::printf("--max-cost was reached: $%.4f spent\n", result.cost);
    std::string more;
    if (!arguments.shard.empty()) more += " --shard " + arguments.shard;
    if (result.cost_limit) more += " --max-cost X";
    if (open != 0)
        std::printf("`assay resume %s%s` runs what has no result\n", file.c_str(), more.c_str());
    std::fflush(stdout);
}

int run_store(RunStore& store, LiveRun& live, const RunArguments& arguments, double cost_so_far,
              const Path& file) try {
    live.connect(store);
    auto mode = ProgressPrinter::mode_for(stderr, arguments.quiet);
    ProgressPrinter progress(stderr, mode, arm_labels(store.plan()));
    std::optional<LogAboveStatus> log;
    if (mode == ProgressPrinter::Mode::Terminal) log.emplace(progress);
    std::vector<SlotRecord> slots = of_shard(store.open_slots(), arguments.shard);
    RunSettings settings = live.settings();
    settings.cost_so_far = cost_so_far;
    RunResult result;
    {
        Run run(live.parts(store, progress), settings);
        Interrupts interrupts(run, progress);
        result = run.execute(slots);
    }
    store.finish_run(status_of(result));
    store.flush();
    std::size_t planned = of_shard(store.plan().slots, arguments.shard).size();
    std::size_t open = of_shard(store.open_slots(), arguments.shard).size();
    print_summary(result, planned, open, arguments, file);
    return exit_code(result, open == 0);
} catch (const Error& e) {
    if (e.kind() != ErrorKind::Io) throw;
    print_error("error: " + e.render()); // a full disk: what was asked for is not wrong
    return 1;
}

// What a resume may change that bears on its numbers.
std::string changes(const RunArguments& resume) {
    std::string out;
    if (resume.max_cost)
        out += std::isinf(*resume.max_cost) ? " --max-cost none"
                                            : fmt::format(" --max-cost {}", *resume.max_cost);
    if (!resume.prices.empty()) out += " --prices " + resume.prices;
    return std::string(trim(out));
}

std::string user_name() {
    passwd entry{}, *found = nullptr;
    std::array<char, 4096> buffer{};
    ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? found->pw_name : fmt::format("user {}", ::getuid());
}

std::string need_out(const RunArguments& arguments) {
    if (arguments.out.empty())
        throw Error(ErrorKind::Usage, "no file for the run").hint("add --out RUN.db");
    return arguments.out;
}

} // namespace

Redactor& known_secrets() {
    static Redactor secrets;
    return secrets;
}

void log_cleaned(std::function<void(const LogRecord&)> write) {
    set_log_sink([write = std::move(write)](const LogRecord& record) {
        std::string message = known_secrets().clean(std::string(record.message));
        write({record.level, record.scope, message});
    });
}

void print_error(std::string text) {
    fmt::print(stderr, "assay: {}\n", known_secrets().clean(std::move(text)));
}

int command_run(const Arguments& arguments) {
    const RunArguments& run = arguments.run;
    PlanRecord plan = run.plan.empty()
                          ? plan_of(run)
                          : plan_from_json(RealFileSystem().read(run.plan, 1ull << 30));
    // Also without --dry-run before the file is made: a refused command leaves none.
    std::vector<SlotRecord> slots = of_shard(plan.slots, run.shard);
    if (run.dry_run) return dry_run(plan, slots);
    Path file = need_out(run);
    if (!run.quiet) print_refused(plan, stderr);
    LiveRun live(plan, run, known_secrets());
    StoreOptions options;
    options.redactor = &known_secrets();
    auto store = RunStore::create(file, plan, options);
    return run_store(*store, live, run, 0, file);
}

int command_plan(const Arguments& arguments) {
    refuse_foreign(arguments.run.out, R"("assay_plan")");
    PlanRecord plan = plan_of(arguments.run);
    print_refused(plan, stderr);
    RealFileSystem().write(arguments.run.out, plan_to_json(plan), 0644);
    std::printf("%zu attempts planned in %s; run a part with\n"
                "assay run --plan %s --shard I/N --out PART.db\n",
                plan.slots.size(), arguments.run.out.c_str(), arguments.run.out.c_str());
    return 0;
}

int command_resume(const Arguments& arguments) {
    const Path& file = arguments.files.at(0);
    double cost = 0;
    std::vector<std::string> earlier;
    {
        auto reader = RunReader::open(file);
        earlier = reader->environments();
        for (const TryRow& row : reader->tries()) cost += row.end.usage.cost.value_or(0);
    }
    StoreOptions options;
    options.redactor = &known_secrets();
    auto store = RunStore::open(file, options);
    LiveRun live(store->plan(), arguments.run, known_secrets());
    if (std::string changed = changes(arguments.run); !changed.empty())
        store->audit(user_name(), "resume with other limits than planned", changed);
    if (std::string changed = changed_models(earlier, live.environment()); !changed.empty()) {
        store->audit(user_name(), "resume with another model", changed);
        print_error("assay: warning: the model is not the one that the run began with: " + changed +
                    "\n  attempts of both are now in one run; `assay show --json` says which start "
                    "was when");
    }
    return run_store(*store, live, arguments.run, cost, file);
}

} // namespace assay
