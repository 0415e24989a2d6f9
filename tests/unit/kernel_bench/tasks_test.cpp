// The three sample tasks end to end, with the runner as a plain process: the reference solution is
// right and fast, the starter right, wrong and broken answers get their reasons.
#include "catch.h"
#include "local_workshop.h"

#include <sched.h>

using namespace assay;
using namespace assay::kernel_bench;
using namespace assay::kernel_bench::test;

namespace {
Path task_folder(const std::string& id) {
    return suite_folder() / "tasks" / id;
}
} // namespace

TEST_CASE("oracle and starter of every sample") {
    for (const char* id : {"gemm_f32", "softmax_f32", "topk_f32"}) {
        auto task = load_kernel_task(task_folder(id));
        JudgeOptions options = quick();
        options.wall_time_only = false;
        Verdict oracle = judge_locally(*task, task->oracle, options);
        INFO(id << ": " << oracle.reason << "\n" << oracle.build_log);
        CHECK(oracle.built);
        CHECK(oracle.correct);
        CHECK(oracle.degenerate.empty());
        CHECK(oracle.flags.count("async_write") + oracle.flags.count("input_mutated") +
                  oracle.flags.count("wrote_outside") ==
              0);
        Verdict starter = judge_locally(*task, task->starter);
        INFO("starter: " << starter.reason << "\n" << starter.build_log);
        CHECK(starter.correct);
        CHECK(score_of(*task, starter).others.at(0).value == 1);
        std::printf("%s: oracle %.2fx (%.2f to %.2f), %.0f %% of peak; starter %.2fx; peaks %.0f "
                    "GFLOP/s %.1f GB/s\n",
                    id, oracle.speedup.middle, oracle.speedup.low, oracle.speedup.high,
                    oracle.peak_fraction * 100, starter.speedup.middle, oracle.peak_gflops,
                    oracle.peak_gbytes);
    }
}

TEST_CASE("timed calls are bound to as many processors as the task has threads") {
    cpu_set_t ours;
    REQUIRE(sched_getaffinity(0, sizeof ours, &ours) == 0);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &ours)) --last;
    auto task = load_kernel_task(Path(ASSAY_TEST_DATA) / "kernel_bench" / "slow_sum");
    Verdict verdict = judge_locally(*task, task->baseline);
    INFO(verdict.reason);
    CHECK(verdict.cpus == std::to_string(last));
    REQUIRE_FALSE(measurements_of(*task, verdict).empty());
    CHECK(measurements_of(*task, verdict)[0].facts.find("\"cpus\":\"" + verdict.cpus + "\"") !=
          std::string::npos);
    // The answer's process is: this one is right on one processor only.
    std::string looks =
        "#include <sched.h>\n" + replace_all(task->baseline, "double sum = 0;",
                                             "cpu_set_t s; sched_getaffinity(0, sizeof s, &s);"
                                             "double sum = CPU_COUNT(&s) == 1 ? 0 : 100;");
    CHECK(judge_locally(*task, looks).correct);
}

TEST_CASE("the self-test finds a baseline that is wrong, and a task that is passed without work") {
    LocalWorkshop workshop;
    SystemRandom random;
    TrustedBuilds trusted;
    KernelTask task = *load_kernel_task(Path(ASSAY_TEST_DATA) / "kernel_bench" / "slow_sum");
    task.baseline = replace_all(task.baseline, "j <= 128", "j < 128");
    try {
        trusted.get(task, suite_folder(), workshop, random, Cancel());
        FAIL("the wrong baseline passed");
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Verifier);
        CHECK(e.message().find("the task's own baseline is wrong: case 'small'") == 0);
    }
    task = *load_kernel_task(Path(ASSAY_TEST_DATA) / "kernel_bench" / "slow_sum");
    CHECK(trusted.get(task, suite_folder(), workshop, random, Cancel())->degenerate.empty());
    task.header.digest = "sha256:other";
    task.tolerances[0].atol = 1e6;
    auto set = trusted.get(task, suite_folder(), workshop, random, Cancel());
    CHECK(set->degenerate.contains("zeros"));
    Cancel cancel;
    Verdict verdict =
        judge(task, task.baseline, *set, suite_folder(), workshop, random, quick(), {}, cancel);
    CHECK(verdict.flags.contains("degenerate_task"));
}

TEST_CASE("what tasks share is built once, and their own sources each") {
    struct Counting : LocalWorkshop {
        std::map<std::string, int> built; // by the last source
        BuildResult build(Room room, const BuildRequest& request, const Cancel& cancel) override {
            ++built[request.files.back().second];
            return LocalWorkshop::build(room, request, cancel);
        }
    } workshop;
    SystemRandom random;
    TrustedBuilds trusted;
    KernelTask task = *load_kernel_task(Path(ASSAY_TEST_DATA) / "kernel_bench" / "slow_sum");
    auto first = trusted.get(task, suite_folder(), workshop, random, Cancel());
    std::size_t sources = workshop.built.size();
    task.header.digest = "sha256:other";
    std::string old_baseline = task.baseline;
    task.baseline = "// changed\n" + task.baseline;
    auto second = trusted.get(task, suite_folder(), workshop, random, Cancel());
    CHECK(second->runner == first->runner);
    CHECK(workshop.built.size() == sources + 1);
    for (const auto& [source, times] : workshop.built) CHECK(times == 1);
    task.header.digest = "sha256:third"; // other arguments: everything of the task again
    task.flags.emplace_back("-O1");
    trusted.get(task, suite_folder(), workshop, random, Cancel());
    CHECK(workshop.built[task.baseline] == 2);
    CHECK(workshop.built[old_baseline] == 1);
}
