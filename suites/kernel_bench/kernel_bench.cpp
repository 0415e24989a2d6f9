#include "assay/suites/kernel_bench.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/suites/folder.h"
#include "judge.h"
#include "sandbox_workshop.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace assay {

namespace {

using namespace kernel_bench;

constexpr const char* kAnswer = "/app/solution.cpp";
constexpr std::uint64_t kMaxAnswer = 2u << 20;

double number_setting(const std::string& name, const std::string& text, double least, double most) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() ||
        !(value >= least && value <= most)) // "nan" is neither
        throw Error(ErrorKind::Usage, fmt::format("kernel_bench: setting {}={} must be a number "
                                                  "from {} to {}",
                                                  name, text, least, most));
    return value;
}

class Tasks final : public TaskSet {
  public:
    const std::vector<TaskHeader>& headers() const override { return headers_; }
    TaskRef open(std::size_t index) override { return tasks_.at(index); }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return refused_;
    }

    void add(const Path& folder, const TaskFilter& filter) {
        std::string name = folder.filename();
        try {
            auto task = load_kernel_task(folder);
            if (!filter.wants(task->header.id)) return;
            for (const TaskHeader& other : headers_)
                if (other.id == task->header.id)
                    throw Error(ErrorKind::Input, "the id " + other.id + " is there twice");
            headers_.push_back(task->header);
            tasks_.push_back(std::move(task));
        } catch (const Error& e) { // the other tasks go on
            if (filter.wants(name)) refused_.emplace_back(name, e.message());
        }
    }

  private:
    std::vector<TaskHeader> headers_;
    std::vector<std::shared_ptr<const KernelTask>> tasks_;
    std::vector<std::pair<std::string, std::string>> refused_;
};

class KernelBench final : public Suite {
  public:
    explicit KernelBench(const Settings& settings) {
        for (const auto& [name, value] : settings) {
            if (name == "seeds")
                options_.seeds = static_cast<int>(number_setting(name, value, 3, 20));
            if (name == "seconds_per_case")
                options_.seconds_per_case = number_setting(name, value, 0.5, 600);
        }
    }

    const SuiteInfo& info() const override {
        static const SuiteInfo info = {
            "kernel_bench",
            "1",
            "native C++ kernels, compiled in a sandbox, checked on secret inputs and timed",
            {{"fast_1", "correct and faster than the baseline, with 97.5 % confidence", true, true},
             {"fast_0", "correct", true, false},
             {"fast_1.5", "correct and 1.5 times as fast as the baseline", true, false},
             {"fast_2", "correct and twice as fast as the baseline", true, false},
             {"speedup", "geometric mean over the cases of baseline time / time; 0 if wrong", true,
              false},
             {"peak_fraction", "share of the measured roofline; 0 if wrong", true, false}},
            false,
            {{"seeds", "secret inputs that each case is checked with, 3 to 20"},
             {"seconds_per_case", "how long candidate and baseline are timed, 0.5 to 600"}}};
        return info;
    }

    std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) override {
        Path root = source.empty() ? folder() / "tasks" : source;
        RealFileSystem fs;
        auto tasks = std::make_unique<Tasks>();
        if (fs.exists(root / "task.json")) {
            tasks->add(root, filter);
            return tasks;
        }
        bool any = false;
        for (const std::string& name : fs.list(root)) {
            auto info = fs.info(root / name);
            if (!info || info->type != FileInfo::Type::Directory) continue;
            if (!fs.exists(root / name / "task.json")) continue;
            any = true;
            tasks->add(root / name, filter);
        }
        if (!any)
            throw Error(ErrorKind::Input, root.string() + ": no kernel task here")
                .hint("give a folder with task.json, or a folder of such folders");
        return tasks;
    }

    void prepare(const Task& base, TrialContext& context) override {
        const auto& task = dynamic_cast<const KernelTask&>(base);
        Sandbox& box = context.environment().main();
        const Cancel& cancel = context.cancel();
        RealFileSystem fs;
        box.put_file("/app/task/README.md", task.instruction, 0644, cancel);
        box.put_file("/app/task/kernel_task.h",
                     fs.read(folder() / "runner" / "kernel_task.h", 1 << 20), 0644, cancel);
        box.put_file("/app/task/starter/solution.cpp", task.starter, 0644, cancel);
        std::string build = "#!/bin/sh\n# Compiles the answer exactly as it will be judged.\n"
                            "exec g++ -I/app/task";
        for (const std::string& argument : build_arguments(task, kAnswer))
            build += " " + shell_quote(argument);
        box.put_file("/app/task/build.sh", build + " -o \"${1:-/tmp/solution.so}\"\n", 0755,
                     cancel);
        // A broken task is found before an attempt is spent on it.
        auto workshop = make_sandbox_workshop(context, task.environment.sandboxes.front().base);
        trusted_.get(task, folder(), *workshop, context.secret_random(), cancel);
    }

    void solve(const Task& base, TrialContext& context) override {
        const auto& task = dynamic_cast<const KernelTask&>(base);
        if (task.oracle.empty()) return Suite::solve(base, context);
        context.environment().main().put_file(kAnswer, task.oracle, 0644, context.cancel());
    }

    ScoreResult score(const Task& base, TrialContext& context) override {
        const auto& task = dynamic_cast<const KernelTask&>(base);
        auto source = answer(context);
        if (!source) {
            Verdict none;
            none.reason = std::string("there is no ") + kAnswer;
            ScoreResult result = score_of(task, none);
            result.inputs.emplace();
            return result;
        }
        context.artifact("solution.cpp", *source, "text/x-c++");
        end_processes(context);
        auto workshop = make_sandbox_workshop(context, task.environment.sandboxes.front().base);
        auto trusted =
            trusted_.get(task, folder(), *workshop, context.secret_random(), context.cancel());
        JudgeHooks hooks;
        hooks.note = [&](const std::string& text) {
            context.events().emit(EventKind::Note,
                                  fmt::format(R"({{"text":{}}})", json_quote(text)));
        };
        hooks.exclusive = [&] { return context.exclusive(); };
        Verdict verdict = judge(task, *source, *trusted, folder(), *workshop,
                                context.secret_random(), options_, hooks, context.cancel());
        for (const Measurement& measurement : measurements_of(task, verdict))
            context.measure(measurement);
        ScoreResult result = score_of(task, verdict);
        result.inputs = {{"solution.cpp", sha256(*source)}};
        context.artifact("kernel_record.json", result.details, "application/json");
        return result;
    }

  private:
    static Path folder() { return suite_folder(ASSAY_SUITE_FOLDER); }

    // A file that is too large is the agent's doing, like one that is missing.
    static std::optional<std::string> answer(TrialContext& context) {
        try {
            return context.environment().main().get_file(kAnswer, kMaxAnswer, context.cancel());
        } catch (const PathError& e) {
            context.events().emit(EventKind::Note,
                                  fmt::format(R"({{"text":{}}})", json_quote(e.message())));
            return std::nullopt;
        }
    }

    // What the agent left running would take processor time from what is timed.
    static void end_processes(TrialContext& context) {
        try {
            context.environment().main().kill_all(context.cancel());
        } catch (const SandboxLost&) {
            throw;
        } catch (const Error& e) { // the agent's doing: to try again is no remedy
            throw Error(ErrorKind::Verifier, e.message());
        }
    }

    JudgeOptions options_;
    TrustedBuilds trusted_;
};

} // namespace

std::unique_ptr<Suite> make_kernel_bench(const Settings& settings) {
    return std::make_unique<KernelBench>(settings);
}

} // namespace assay
