#include "judge.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/stats/summary.h"
#include "session.h"
#include "shared_object.h"
#include "tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::kernel_bench {

namespace {

constexpr std::size_t kMaxSource = 1 << 20;
// How far above a measured roof is still believed: compute peaks are noisy; of the memory traffic,
// what is written may still be in the caches when the call returns.
constexpr double kComputeSlack = 1.2, kMemorySlack = 2.0;
constexpr double kLowPrecision = 2e-4; // error over deviation of an f32 answer
constexpr int kPeakCalls = 6;
constexpr double kDisturbed = 0.15; // of the baseline's time it did not have the processor

const std::set<std::string> kVoiding = {
    "async_write",    "input_mutated",       "wrote_outside", "parent_child_mismatch",
    "above_roofline", "thread_left_running", "vendor_symbol"};

// What no answer needs: other processes, other code, other libraries.
const std::set<std::string> kForbiddenSymbols = {"dlopen",
                                                 "dlmopen",
                                                 "dlsym",
                                                 "dlvsym",
                                                 "fork",
                                                 "vfork",
                                                 "clone",
                                                 "execve",
                                                 "execv",
                                                 "execvp",
                                                 "system",
                                                 "popen",
                                                 "ptrace",
                                                 "syscall",
                                                 "socket",
                                                 "sigaction",
                                                 "signal",
                                                 "mq_open",
                                                 "shm_open",
                                                 "memfd_create",
                                                 "process_vm_readv",
                                                 "process_vm_writev"};
const std::vector<std::string> kForbiddenPrefixes = {"cblas_", "mkl_",   "MKL_",  "openblas_",
                                                     "sgemm_", "dgemm_", "cudnn", "cublas"};
const std::set<std::string> kLibraries = {
    "libc.so.6",    "libm.so.6",       "libstdc++.so.6",       "libgcc_s.so.1",
    "libmvec.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

struct Sizes {
    std::uint64_t in = 0, out = 0;
};

class Judging {
  public:
    Judging(const KernelTask& task, const TrustedBuilds::Set& trusted, const Path& suite_folder,
            Workshop& workshop, Random& secret, const JudgeOptions& options,
            const JudgeHooks& hooks, const Cancel& cancel)
        : task_(task)
        , trusted_(trusted)
        , suite_folder_(suite_folder)
        , workshop_(workshop)
        , options_(options)
        , hooks_(hooks)
        , cancel_(cancel) {
        secret.fill(std::as_writable_bytes(std::span(secret_.bytes)));
        verdict_.seed_hex = secret_.hex();
        verdict_.commitment =
            sha256(std::string_view(reinterpret_cast<const char*>(secret_.bytes.data()), 32)).hex();
        verdict_.toolchain = trusted.toolchain;
        verdict_.degenerate = trusted.degenerate;
        if (!verdict_.degenerate.empty()) verdict_.flags.insert("degenerate_task");
    }

    Verdict run(std::string_view source) {
        note("seed commitment sha256:" + verdict_.commitment);
        verdict_.code_sha256 = sha256(source).hex();
        if (!build(source)) return std::move(verdict_);
        try {
            open_answer();
        } catch (const LoadRefused& refused) {
            verdict_.built = false;
            verdict_.reason = "the library could not be loaded: " + refused.message();
            return std::move(verdict_);
        }
        if (!check_all()) return std::move(verdict_);
        time_all();
        finish();
        return std::move(verdict_);
    }

    std::set<std::string> test_task() {
        self_test_ = true;
        answer_ = open(Room::Trusted, trusted_.baseline, task_.entry, false, {});
        if (!check_all())
            throw Error(ErrorKind::Verifier,
                        "the task's own baseline is wrong: " + verdict_.reason);
        return std::move(verdict_.degenerate);
    }

  private:
    void note(const std::string& text) {
        if (hooks_.note) hooks_.note(text);
    }

    bool wrong(std::string reason) {
        verdict_.correct = false;
        verdict_.reason = std::move(reason);
        return false;
    }

    bool check_all() {
        reference_ = open(Room::Trusted, trusted_.reference, "reference", true, {});
        note("checking correctness");
        verdict_.correct = true;
        for (const KernelCase& c : task_.cases) {
            verdict_.cases.push_back({});
            verdict_.cases.back().name = c.name;
            if (!check(c, verdict_.cases.back())) return false;
        }
        return true;
    }

    bool build(std::string_view source) {
        if (source.size() > kMaxSource) {
            verdict_.reason = "the source is larger than 1 MiB";
            return false;
        }
        for (const Signal& signal : find_patterns(source, task_.forbidden_patterns))
            verdict_.signals.push_back(fmt::format("line {}: {}", signal.line, signal.what));
        if (!verdict_.signals.empty()) verdict_.flags.insert("forbidden_source");
        RealFileSystem fs;
        BuildRequest request;
        request.files = {
            {"kernel_task.h", fs.read(suite_folder_ / "runner" / "kernel_task.h", 1 << 20)},
            {"solution.cpp", std::string(source)}};
        request.arguments = build_arguments(task_, "solution.cpp");
        request.seconds = task_.build_seconds;
        note("building the answer");
        BuildResult result = workshop_.build(Room::Build, request, cancel_);
        verdict_.build_log = std::move(result.log);
        verdict_.build_seconds = result.seconds;
        verdict_.built = result.ok;
        if (!result.ok) {
            verdict_.reason = "the answer does not compile";
            return false;
        }
        library_ = std::move(result.bytes);
        return options_.skip_scan || scan();
    }

    bool forbidden(const std::string& symbol) const {
        std::string name = symbol.substr(0, symbol.find('@'));
        bool thread = name == "pthread_create" || name.find("St6thread") != std::string::npos;
        if (task_.threads == 1 && thread) return true;
        auto begins = [&](const std::string& prefix) { return name.starts_with(prefix); };
        return kForbiddenSymbols.contains(name) ||
               std::any_of(kForbiddenPrefixes.begin(), kForbiddenPrefixes.end(), begins) ||
               std::find(task_.forbidden_symbols.begin(), task_.forbidden_symbols.end(), name) !=
                   task_.forbidden_symbols.end();
    }

    bool scan() {
        ElfSummary summary;
        try {
            summary = read_elf(library_);
        } catch (const Error& e) {
            return wrong("the built answer is odd: " + e.message());
        }
        for (const std::string& library : summary.needed) {
            if (kLibraries.contains(library)) continue;
            verdict_.flags.insert("vendor_symbol");
            return wrong("the answer needs the library " + utf8_clean(library));
        }
        for (const std::string& symbol : summary.undefined) {
            if (!forbidden(symbol)) continue;
            verdict_.flags.insert("vendor_symbol");
            return wrong("the answer uses '" + utf8_clean(symbol) + "', which is not allowed");
        }
        // One entry is the compiler's own (frame_dummy).
        if (summary.constructors > 1)
            return wrong("the answer has code that runs when it is loaded (a global object with a "
                         "constructor): use static objects inside of functions");
        return true;
    }

    Sizes sizes(bool as_reference) const {
        Sizes most;
        for (const KernelCase& c : task_.cases) {
            kt_wire::CaseBody body = layout(task_, c, as_reference);
            most.in = std::max(most.in, body.in_bytes);
            most.out = std::max(most.out, body.out_bytes);
        }
        return most;
    }

    std::unique_ptr<Session> open(Room room, const std::string& library, const std::string& entry,
                                  bool as_reference, const SessionOptions& options) {
        Sizes most = sizes(as_reference);
        try {
            return std::make_unique<Session>(
                workshop_.start(room, trusted_.runner, library, cancel_), task_, entry, most.in,
                most.out, options, cancel_);
        } catch (const LoadRefused& refused) {
            if (room == Room::Answer) throw;
            throw Error(ErrorKind::Verifier,
                        "the task's own " + entry + " could not be loaded: " + refused.message());
        }
    }

    void open_answer() {
        SessionOptions options;
        options.unguarded = options_.unguarded;
        answer_ = open(Room::Answer, library_, task_.entry, false, options);
    }

    Digest seed(const KernelCase& c, std::string_view phase, int index) const {
        if (options_.repeat_data) index = 0;
        return sha256(fmt::format("{}/{}/{}/{}/{}", secret_.hex(), task_.header.id, c.name,
                                  options_.repeat_data ? "" : phase, index));
    }

    // The outputs of the reference for these inputs, one vector an output tensor.
    std::vector<std::vector<std::vector<double>>> expected(const KernelCase& c,
                                                           const std::vector<std::string>& inputs) {
        kt_wire::CaseBody body = layout(task_, c, true);
        reference_->begin_case(body);
        for (const std::string& input : inputs) reference_->load(0, input);
        RunOutcome outcome = reference_->run(0, false);
        if (outcome.ending != kt_wire::Ending::Alive)
            throw Error(ErrorKind::Verifier, "the task's own reference " + outcome.ending_text());
        std::vector<std::vector<std::vector<double>>> all;
        for (std::size_t i = 0; i < outcome.reports.size(); ++i) {
            if (outcome.reports[i].result != 0)
                throw Error(ErrorKind::Verifier, "the task's own reference returned an error");
            auto& outputs = all.emplace_back();
            for (std::uint32_t t = 0; t < body.n_out; ++t)
                outputs.push_back(read_output(body.out[t], outcome.outputs[i]));
        }
        return all;
    }

    void note_flags(const kt_wire::CallReport& report) {
        if (report.flags & kt_wire::AsyncWrite) verdict_.flags.insert("async_write");
        if (report.flags & kt_wire::InputMutated) verdict_.flags.insert("input_mutated");
        if (report.flags & kt_wire::WroteOutside) verdict_.flags.insert("wrote_outside");
        if (report.flags & kt_wire::BusyAfter) verdict_.flags.insert("thread_left_running");
    }

    // False and the reason in the verdict, if a call failed or gave a wrong output.
    bool verify(const KernelCase& c, const kt_wire::CaseBody& body, const RunOutcome& outcome,
                const std::vector<std::vector<std::vector<double>>>& want, const char* phase,
                CaseResult& result) {
        for (std::size_t i = 0; i < outcome.reports.size(); ++i) {
            note_flags(outcome.reports[i]);
            if (outcome.reports[i].result != 0)
                return wrong(fmt::format("case '{}', {}: solve returned {}", c.name, phase,
                                         outcome.reports[i].result));
            for (std::uint32_t t = 0; t < body.n_out; ++t) {
                Comparison one = compare(read_output(body.out[t], outcome.outputs[i]), want[i][t],
                                         task_.tolerances[t]);
                merge(result.worst, one);
                if (!one.ok)
                    return wrong(fmt::format(
                        "case '{}', {}, call {}: output '{}' is wrong in {} of {} elements, first "
                        "at {}: got {}, expected {}",
                        c.name, phase, i + 1, task_.outputs[t].name, one.bad, one.count,
                        one.first_bad, one.got, one.want));
            }
            ++result.calls;
        }
        if (outcome.ending != kt_wire::Ending::Alive)
            return wrong(
                fmt::format("case '{}', {}: the answer {}", c.name, phase, outcome.ending_text()));
        return true;
    }

    static void merge(Comparison& into, const Comparison& one) {
        into.max_abs = std::max(into.max_abs, one.max_abs);
        into.max_rel = std::max(into.max_rel, one.max_rel);
        into.rmse_over_std = std::max(into.rmse_over_std, one.rmse_over_std);
        into.bad += one.bad;
        into.count += one.count;
    }

    // At least three seeds; then old data at new addresses and new data at old ones (caches).
    bool check(const KernelCase& c, CaseResult& result) {
        kt_wire::CaseBody body = layout(task_, c, false);
        std::vector<std::string> data;
        for (int i = 0; i < std::max(3, options_.seeds); ++i)
            data.push_back(make_inputs(task_, c, body, seed(c, "test", i)));
        auto want = expected(c, data);
        if (self_test_ && c.bench) look_for_degenerate(body, data, want);
        std::vector<std::pair<std::uint32_t, std::size_t>> calls; // slot, data
        for (std::size_t i = 0; i < data.size(); ++i) calls.emplace_back(i % 2, i);
        calls.emplace_back(2, data.size() - 1);              // the last data again, elsewhere
        calls.emplace_back(calls[data.size() - 1].first, 0); // its old address, other data
        answer_->begin_case(body);
        std::vector<std::vector<std::vector<double>>> want_calls;
        for (auto [slot, which] : calls) {
            answer_->load(options_.repeat_data ? 0 : slot, data[which]);
            want_calls.push_back(want[which]);
        }
        RunOutcome outcome = answer_->run(options_.settle_milliseconds, false);
        if (!verify(c, body, outcome, want_calls, "test", result)) return false;
        if (outcome.outputs[data.size() - 1] != outcome.outputs[data.size()])
            verdict_.flags.insert("nondeterministic");
        return true;
    }

    // Of the cases that are timed: tiny and stressed ones may well have a trivial answer.
    void look_for_degenerate(const kt_wire::CaseBody& body, const std::vector<std::string>& data,
                             const std::vector<std::vector<std::vector<double>>>& want) {
        std::vector<double> first;
        if (body.n_in > 0) first = read_output(body.in[0], data[0]);
        // A trivial answer must pass for all outputs at once to be worth anything.
        std::map<std::string, std::uint32_t> passing;
        for (std::uint32_t t = 0; t < body.n_out; ++t)
            for (const std::string& name :
                 degenerate(want[0][t], want[1][t], first, task_.outputs[t], task_.tolerances[t]))
                ++passing[name];
        for (const auto& [name, outputs] : passing)
            if (outputs == body.n_out) verdict_.degenerate.insert(name);
    }

    // One yardstick: the best of some calls, as work per second.
    double peak(Session& session, std::int64_t kind) {
        kt_wire::CaseBody body{};
        body.n_out = body.n_axes = 1;
        body.out[0].offset = 4096;
        body.out[0].bytes = 8;
        body.out[0].dtype = static_cast<std::int32_t>(DType::F64);
        body.out_bytes = 8192;
        body.axes[0].value = kind;
        session.begin_case(body);
        for (int i = 0; i < kPeakCalls; ++i) session.load(0, "");
        RunOutcome outcome = session.run(0, false);
        double best = 0;
        for (std::size_t i = 0; i < outcome.reports.size(); ++i) {
            double work = read_output(body.out[0], outcome.outputs[i]).at(0);
            // Our own code on one thread: its CPU time, so that other load does not lower the roof.
            auto cpu = static_cast<double>(outcome.reports[i].cpu_nanoseconds);
            best = std::max(best, work / std::max(cpu, 1.0));
        }
        if (!(best > 0)) throw Error(ErrorKind::Verifier, "the peak of the machine is not known");
        return best; // per nanosecond: G per second
    }

    void measure_peaks() {
        SessionOptions options;
        std::unique_ptr<Session> session =
            open(Room::Trusted, trusted_.peaks, "solve", false, options);
        std::int64_t arithmetic = task_.outputs[0].dtype == DType::F64 ? 3 : 2;
        verdict_.peak_gbytes = std::max(verdict_.peak_gbytes, peak(*session, 1));
        verdict_.peak_gflops = std::max(verdict_.peak_gflops, peak(*session, arithmetic));
    }

    void time_all() {
        std::unique_ptr<ExclusiveHold> hold;
        if (hooks_.exclusive) hold = hooks_.exclusive();
        note("timing");
        measure_peaks();
        baseline_ = open(Room::Trusted, trusted_.baseline, task_.entry, false, {});
        if (baseline_->cpus() == answer_->cpus()) verdict_.cpus = answer_->cpus();
        for (std::size_t i = 0; i < task_.cases.size(); ++i) {
            if (!task_.cases[i].bench) continue;
            if (!time_case(task_.cases[i], verdict_.cases[i])) return;
        }
        measure_peaks(); // again: the machine may have been slower before
        for (std::size_t i = 0; i < task_.cases.size(); ++i)
            if (verdict_.cases[i].timed) hold_against_roof(task_.cases[i], verdict_.cases[i]);
    }

    void hold_against_roof(const KernelCase& c, CaseResult& result) {
        result.time = median_interval(result.answer);
        result.gflops = evaluate(task_.flops, c.axes) / result.time.middle * 1e-9;
        result.gbytes = evaluate(task_.bytes, c.axes) / result.time.middle * 1e-9;
        result.peak_fraction = task_.compute_bound ? result.gflops / verdict_.peak_gflops
                                                   : result.gbytes / verdict_.peak_gbytes;
        if (result.peak_fraction > (task_.compute_bound ? kComputeSlack : kMemorySlack))
            verdict_.flags.insert("above_roofline");
    }

    struct Batch {
        bool ok = false;
        std::vector<double> answer, baseline, answer_cpu, baseline_cpu; // seconds
    };

    // The same new data for the answer and for the baseline, every output of the answer verified.
    Batch batch(const KernelCase& c, const kt_wire::CaseBody& body, int calls, int& index,
                CaseResult& result) {
        std::vector<std::string> data;
        for (int i = 0; i < calls; ++i)
            data.push_back(make_inputs(task_, c, body, seed(c, "time", index++)));
        Batch out;
        RunOutcome mine = run_all(*answer_, body, data);
        RunOutcome theirs = run_all(*baseline_, body, data);
        if (theirs.ending != kt_wire::Ending::Alive)
            throw Error(ErrorKind::Verifier, "the task's own baseline " + theirs.ending_text());
        compare_clocks(mine);
        if (!verify(c, body, mine, expected(c, data), "timing", result)) return out;
        out.ok = true;
        take_times(mine, out.answer, out.answer_cpu);
        take_times(theirs, out.baseline, out.baseline_cpu);
        return out;
    }

    static void take_times(const RunOutcome& outcome, std::vector<double>& wall,
                           std::vector<double>& cpu) {
        for (const kt_wire::CallReport& report : outcome.reports) {
            wall.push_back(static_cast<double>(report.nanoseconds) * 1e-9);
            cpu.push_back(static_cast<double>(report.cpu_nanoseconds) * 1e-9);
        }
    }

    RunOutcome run_all(Session& session, const kt_wire::CaseBody& body,
                       const std::vector<std::string>& data) {
        session.begin_case(body);
        for (std::size_t i = 0; i < data.size(); ++i)
            session.load(options_.repeat_data ? 0 : static_cast<std::uint32_t>(i % 3), data[i]);
        return session.run(0, true);
    }

    // Our own clock is the authority: the runner cannot have been busy longer than we waited for
    // it, and most of our waiting must be explained by it.
    void compare_clocks(const RunOutcome& outcome) {
        ++batches_;
        bool impossible = outcome.total_seconds > outcome.wall_seconds + 1e-3;
        if (impossible || outcome.wall_seconds > outcome.total_seconds * 1.1 + 5e-3) ++odd_batches_;
        for (const kt_wire::CallReport& report : outcome.reports) {
            double limit = static_cast<double>(report.nanoseconds) * (task_.threads + 0.3);
            if (report.nanoseconds > 1'000'000 &&
                static_cast<double>(report.cpu_nanoseconds) > limit)
                verdict_.flags.insert("thread_left_running");
        }
    }

    bool time_case(const KernelCase& c, CaseResult& result) {
        kt_wire::CaseBody body = layout(task_, c, false);
        int index = 0;
        std::vector<double> warm;
        while (warm.size() < 20 && !settled(warm, 0.05)) {
            Batch b = batch(c, body, 3, index, result);
            if (!b.ok) return false;
            warm.insert(warm.end(), b.answer.begin(), b.answer.end());
        }
        std::vector<double> answer_cpu, baseline_cpu;
        auto append = [](std::vector<double>& to, const std::vector<double>& from) {
            to.insert(to.end(), from.begin(), from.end());
        };
        auto began = std::chrono::steady_clock::now();
        auto over = [&] {
            auto n = static_cast<int>(result.answer.size());
            if (n < 2 * options_.batch) return false;
            return n >= options_.max_trials ||
                   relative_standard_error(result.answer) < options_.target_error ||
                   seconds(std::chrono::steady_clock::now() - began) > options_.seconds_per_case;
        };
        while (!over()) {
            Batch b = batch(c, body, options_.batch, index, result);
            if (!b.ok) return false;
            append(result.answer, b.answer);
            append(result.baseline, b.baseline);
            append(answer_cpu, b.answer_cpu);
            append(baseline_cpu, b.baseline_cpu);
        }
        result.timed = true;
        // The exclusive claim keeps our own trials away, not other programs. Whether those disturb
        // is read off the baseline, which is ours: an answer that sleeps changes nothing. With one
        // thread the CPU time then measures the same work without the waiting.
        if (task_.threads == 1 && !options_.wall_time_only &&
            mean(baseline_cpu) < (1 - kDisturbed) * mean(result.baseline)) {
            result.by_cpu_time = true;
            result.answer = std::move(answer_cpu);
            result.baseline = std::move(baseline_cpu);
            verdict_.flags.insert("busy_machine");
        }
        return true;
    }

    void finish() {
        std::vector<Pair> pairs;
        double logs = 0;
        for (const CaseResult& result : verdict_.cases) {
            if (result.worst.rmse_over_std > kLowPrecision && task_.outputs[0].dtype == DType::F32)
                verdict_.flags.insert("low_precision_suspect");
            if (!result.timed) continue;
            pairs.push_back({result.baseline, result.answer});
            logs += std::log(std::max(result.peak_fraction, 1e-9));
        }
        if (batches_ > 0 && odd_batches_ * 2 > batches_)
            verdict_.flags.insert("parent_child_mismatch");
        if (verdict_.correct) {
            verdict_.speedup = speedup(pairs);
            verdict_.peak_fraction = std::exp(logs / static_cast<double>(pairs.size()));
            if (verdict_.speedup.middle > 10) verdict_.flags.insert("speedup_gt_10");
        }
        for (const std::string& flag : verdict_.flags) {
            if (options_.ignore_flags || !kVoiding.contains(flag)) continue;
            verdict_.voided = true;
            if (verdict_.reason.empty())
                verdict_.reason = "the flag " + flag + " voids the score until a person clears it";
        }
    }

    const KernelTask& task_;
    const TrustedBuilds::Set& trusted_;
    const Path& suite_folder_;
    Workshop& workshop_;
    const JudgeOptions& options_;
    const JudgeHooks& hooks_;
    const Cancel& cancel_;
    Digest secret_;
    Verdict verdict_;
    std::string library_;
    bool self_test_ = false; // the "answer" is the task's own baseline
    std::unique_ptr<Session> answer_, reference_, baseline_;
    int batches_ = 0, odd_batches_ = 0;
};

} // namespace

Verdict judge(const KernelTask& task, std::string_view source, const TrustedBuilds::Set& trusted,
              const Path& suite_folder, Workshop& workshop, Random& secret,
              const JudgeOptions& options, const JudgeHooks& hooks, const Cancel& cancel) {
    return Judging(task, trusted, suite_folder, workshop, secret, options, hooks, cancel)
        .run(source);
}

std::set<std::string> self_test(const KernelTask& task, const TrustedBuilds::Set& trusted,
                                const Path& suite_folder, Workshop& workshop, Random& secret,
                                const Cancel& cancel) {
    JudgeOptions options;
    return Judging(task, trusted, suite_folder, workshop, secret, options, {}, cancel).test_task();
}

} // namespace assay::kernel_bench
