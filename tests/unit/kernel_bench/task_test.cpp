// The loader of task.json: what is read, and one clear message for each thing that is wrong.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/suites/kernel_bench.h"
#include "catch.h"
#include "judge.h"
#include "task.h"

#include <fmt/format.h>

using namespace assay;
using namespace assay::kernel_bench;

namespace {

Path samples() {
    return Path(ASSAY_SOURCE_DIR) / "suites" / "kernel_bench" / "tasks";
}

// A copy of the small task with one text of task.json replaced; returns the loader's message.
std::string message(const std::string& from, const std::string& to) {
    TempFolder folder;
    std::filesystem::copy(Path(ASSAY_TEST_DATA) / "kernel_bench" / "slow_sum", folder.path(),
                          std::filesystem::copy_options::recursive);
    RealFileSystem files;
    std::string text = files.read(folder.path() / "task.json", 1 << 20);
    REQUIRE(text.find(from) != std::string::npos);
    files.write(folder.path() / "task.json", replace_all(text, from, to), 0644);
    try {
        load_kernel_task(folder.path());
    } catch (const Error& e) {
        return fmt::format("{}: {}", to_string(e.kind()), e.message());
    }
    return "no error";
}

} // namespace

TEST_CASE("loads the samples") {
    auto suite = make_kernel_bench({});
    auto tasks = suite->load({}, {});
    REQUIRE(tasks->headers().size() == 3);
    CHECK(tasks->refused().empty());
    auto gemm = load_kernel_task(samples() / "gemm_f32");
    CHECK(gemm->header.id == "gemm_f32");
    CHECK(gemm->header.digest.starts_with("sha256:"));
    CHECK(gemm->claim.exclusive_verify);
    CHECK(gemm->claim.sandboxes == 4);
    CHECK(gemm->compute_bound);
    CHECK(gemm->cases.at(0).axes.at("m") == 384);
    CHECK(gemm->shape(gemm->outputs[0], gemm->cases[0]) == std::vector<std::int64_t>{384, 384});
    CHECK_FALSE(gemm->cases.back().bench); // stressed
    CHECK(gemm->instruction.find("/app/solution.cpp") != std::string::npos);
    TaskFilter filter;
    filter.include = {"soft*"};
    CHECK(suite->load({}, filter)->headers().size() == 1);
    CHECK(suite->load(samples() / "topk_f32", {})->headers().size() == 1);
}

TEST_CASE("each mistake in task.json gets its place") {
    struct Row {
        const char *from, *to, *expected;
    };
    const Row rows[] = {
        {"\"n\": 5}", "\"n\": 5", "task.json:13:5: not valid JSON"},
        {"kernel-task/1", "kernel-task/9", "/schema: this suite reads"},
        {"\"cpu\"", "\"cuda\"", "/device: device cuda is not run"},
        {"\"title\"", "\"titel\"", "/titel: unknown key"},
        {"\"n\": 5}", "\"n\": \"5\"}", "/cases/0/axes/n: must be an integer, is string"},
        {"\"n\": 5}", "\"n\": 0}", "/cases/0/axes/n: is 0, must be from 1"},
        {"\"n\": 5}", "\"m\": 5}", "/cases/0/axes/m: is no axis"},
        {"\"n\": 5}", "\"n\": 1000000000}", "/cases/0: tensor 'x'"},
        {"128*n", "128*q", "/cost/flops: expression '128*q' names 'q'"},
        {"128*n", "n-n", "/cost/flops: must be above 0"},
        {"normal(0,1)", "normal(0)", "/inputs/0/generator: wants two numbers"},
        {"normal(0,1)", "file", "/inputs/0/generator: generator file is not supported"},
        {"normal(0,1)", "weird", "/inputs/0/generator: unknown generator"},
        {"\"dtype\": \"f32\", \"shape\": [\"n\"]}", "\"dtype\": \"e4m3\", \"shape\": [\"n\"]}",
         "/outputs/0/dtype: dtype e4m3 is not supported"},
        {"{\"atol\": 1e-3}", "{}", "/tolerance/y: wants either"},
        {"{\"y\":", "{\"z\":", "/tolerance: misses the output 'y'"},
        {"\"use\": \"both\"", "\"use\": \"test\"", "/cases: needs a case that is timed"},
        {"\"use\": \"both\"", "\"stress\": \"loud\"", "/cases/1/stress: unknown stress"},
        {"\"timed\"", "\"small\"", "/cases/1/name: is there twice"},
        {"reference.cpp", "../reference.cpp", "/files/reference: must not have '..'"},
        {"reference.cpp", "nowhere.cpp", "/files/reference:"},
        {"\"-O2\"", "\"evil.cpp\"", "/build/flags/0: must begin with '-'"},
        {"\"call_seconds\": 2", "\"call_seconds\": -1", "/limits/call_seconds: is -1"},
    };
    for (const Row& row : rows) {
        std::string text = message(row.from, row.to);
        INFO(row.to << " gave: " << text);
        CHECK(text.find(row.expected) != std::string::npos);
    }
}

TEST_CASE("a broken task is refused by name, the others go on") {
    TempFolder folder;
    std::filesystem::copy(samples(), folder.path(), std::filesystem::copy_options::recursive);
    RealFileSystem files;
    files.write(folder.path() / "softmax_f32" / "task.json", "{", 0644);
    files.remove_all(folder.path() / "topk_f32" / "baseline.cpp");
    auto tasks = make_kernel_bench({})->load(folder.path(), {});
    CHECK(tasks->headers().size() == 1);
    REQUIRE(tasks->refused().size() == 2);
    CHECK(tasks->refused()[0].first == "softmax_f32");
    CHECK(tasks->refused()[1].second.find("baseline.cpp") != std::string::npos);
    TempFolder empty;
    CHECK_THROWS_AS(make_kernel_bench({})->load(empty.path(), {}), Error);
}

TEST_CASE("settings are checked") {
    CHECK_NOTHROW(make_kernel_bench({{"seeds", "5"}, {"seconds_per_case", "1.5"}}));
    for (const Settings& bad :
         {Settings{{"seeds", "2"}}, Settings{{"seeds", "x"}}, Settings{{"seconds_per_case", "0"}}})
        CHECK_THROWS_AS(make_kernel_bench(bad), Error);
}

TEST_CASE("scores follow from the verdict") {
    KernelTask task;
    task.header.id = "t";
    Verdict v;
    v.built = v.correct = true;
    v.speedup = {1.6, 1.8, 2.1};
    v.peak_fraction = 0.4;
    auto value = [](const ScoreResult& score, const std::string& name) {
        for (const Metric& m : score.others)
            if (m.name == name) return m.value;
        return -1.0;
    };
    ScoreResult score = score_of(task, v);
    CHECK(score.primary.value == 1);
    CHECK(value(score, "fast_0") == 1);
    CHECK(value(score, "fast_1.5") == 1);
    CHECK(value(score, "fast_2") == 0);
    CHECK(value(score, "speedup") == Approx(1.8));
    v.speedup.low = 0.99;
    score = score_of(task, v);
    CHECK(score.primary.value == 0);
    CHECK(value(score, "fast_0") == 1);
    v.voided = true;
    CHECK(value(score_of(task, v), "fast_0") == 0);
    v.voided = false;
    v.correct = false;
    v.reason = "because \xff";
    score = score_of(task, v);
    CHECK(value(score, "fast_0") == 0);
    CHECK(value(score, "speedup") == 0);
    CHECK(score.details.find("\"reason\"") != std::string::npos);
}
