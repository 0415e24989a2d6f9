// The three sample tasks end to end, with the runner as a plain process: the reference solution is
// right and fast, the starter right, wrong and broken answers get their reasons.
#include "catch.h"
#include "local_workshop.h"

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
