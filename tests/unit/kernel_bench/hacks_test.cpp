// Each attack twice: the guard stops it, and without that one guard it succeeds. A few attacks have
// two guards in their way; then each is switched off on its own first.
#include "catch.h"
#include "local_workshop.h"
#include "runner/wire.h"
#include "skip.h"

#include <algorithm>

using namespace assay;
using namespace assay::kernel_bench;
using namespace assay::kernel_bench::test;

namespace {

Path data() {
    return Path(ASSAY_TEST_DATA) / "kernel_bench";
}

const KernelTask& task() {
    static auto loaded = load_kernel_task(data() / "slow_sum");
    return *loaded;
}

std::string hack(const std::string& name) {
    std::string source = read_file(data() / "hacks" / (name + ".cpp"));
    return replace_all(source, "#include \"honest.h\"\n", read_file(data() / "hacks" / "honest.h"));
}

Verdict attack(const std::string& name, const JudgeOptions& options = quick(),
               LocalWorkshop* workshop = nullptr) {
    Verdict verdict = judge_locally(task(), hack(name), options, workshop);
    INFO(name << ": " << verdict.build_log);
    REQUIRE((verdict.built || !verdict.build_log.empty() || !verdict.reason.empty()));
    return verdict;
}

JudgeOptions without(std::uint32_t guard) {
    JudgeOptions options = quick();
    options.unguarded = guard;
    return options;
}

bool counts(const Verdict& v) {
    return v.built && v.correct && !v.voided;
}

// Of the quickest calls, which a loaded machine disturbs least: honest work is about as fast as the
// baseline, cheating is far faster.
double gain(const Verdict& v) {
    const CaseResult& c = v.cases.back();
    REQUIRE(c.timed);
    return *std::min_element(c.baseline.begin(), c.baseline.end()) /
           *std::min_element(c.answer.begin(), c.answer.end());
}
constexpr double kCheated = 3;

} // namespace

TEST_CASE("honest work passes") {
    Verdict v = judge_locally(task(), task().baseline);
    INFO(v.reason);
    CHECK(counts(v));
    CHECK(gain(v) < kCheated);
    CHECK(v.commitment == sha256(from_hex(v.seed_hex)).hex());
    CHECK(v.toolchain.starts_with("g++ 1"));
}

TEST_CASE("hack: results cached by address") {
    Verdict guarded = attack("pointer_cache");
    CHECK_FALSE(guarded.correct);
    INFO(guarded.reason);
    JudgeOptions naive = quick();
    naive.repeat_data = true;
    Verdict v = attack("pointer_cache", naive);
    INFO(v.reason);
    CHECK(counts(v));
    CHECK(gain(v) > kCheated);
}

TEST_CASE("hack: done is said before the work") {
    CHECK_FALSE(attack("late_finish").correct);
    JudgeOptions naive = without(kt_wire::LateSnapshot);
    naive.ignore_flags = true;
    Verdict v = attack("late_finish", naive);
    INFO(v.reason);
    CHECK(counts(v));
    CHECK(gain(v) > kCheated);
}

TEST_CASE("hack: the work is done before the clock starts") {
    Verdict guarded = attack("early_start");
    INFO(guarded.reason);
    CHECK((!counts(guarded) || gain(guarded) < kCheated));
    JudgeOptions naive = without(kt_wire::NoFreeze);
    naive.ignore_flags = true;
    Verdict v = attack("early_start", naive);
    INFO(v.reason);
    CHECK(counts(v));
    CHECK(gain(v) > kCheated);
    // The second guard: a process that is busy after its call has returned. It is seen by the
    // processor time that it gets, which may be none for a while beside others.
    for (int i = 0; i < 4 && !guarded.flags.contains("thread_left_running"); ++i)
        guarded = attack("early_start");
    CHECK(guarded.flags.contains("thread_left_running"));
}

TEST_CASE("hack: inputs are overwritten") {
    Verdict guarded = attack("mutate_input");
    CHECK_FALSE(guarded.correct);
    CHECK(guarded.reason.find("signal 11") != std::string::npos);
    Verdict seen = attack("mutate_input", without(kt_wire::WritableInputs));
    CHECK(seen.voided);
    CHECK(seen.flags.contains("input_mutated"));
    JudgeOptions naive = without(kt_wire::WritableInputs);
    naive.ignore_flags = true;
    CHECK(counts(attack("mutate_input", naive)));
}

TEST_CASE("hack: outputs of an earlier call are left in place") {
    CHECK_FALSE(attack("only_once").correct);
    JudgeOptions naive = without(kt_wire::NoPoison);
    naive.repeat_data = true;
    Verdict v = attack("only_once", naive);
    INFO(v.reason);
    CHECK(counts(v));
    naive.unguarded = 0; // poison alone is enough
    CHECK_FALSE(attack("only_once", naive).correct);
}

TEST_CASE("hack: the memory of the measuring process is read") {
    Verdict guarded = attack("read_judge");
    CHECK_FALSE(guarded.correct);
    CHECK(guarded.reason.find("returned 9") != std::string::npos);
    if (geteuid() != 0) {
        assay::test::skip("read_judge without its guard needs root");
        return;
    }
    Verdict v = attack("read_judge", without(kt_wire::NoFilter));
    INFO(v.reason);
    CHECK(counts(v));
}

TEST_CASE("hack: a file beside the library is read") {
    LocalWorkshop workshop;
    workshop.beside_answer = "the reference";
    Verdict guarded = attack("read_file", quick(), &workshop);
    CHECK_FALSE(guarded.correct);
    CHECK(guarded.reason.find("returned 9") != std::string::npos);
    Verdict v = attack("read_file", without(kt_wire::NoFilter), &workshop);
    INFO(v.reason);
    CHECK(counts(v));
    // And the product leaves nothing there, so even then there is nothing to find.
    CHECK_FALSE(attack("read_file", without(kt_wire::NoFilter)).correct);
}

TEST_CASE("hack: a second thread does the work after the return") {
    Verdict named = attack("second_thread");
    CHECK_FALSE(named.correct);
    CHECK(named.flags.contains("vendor_symbol"));
    JudgeOptions unseen = quick();
    unseen.skip_scan = true;
    CHECK_FALSE(attack("second_thread", unseen).correct); // the system call filter
    JudgeOptions naive = without(kt_wire::NoFilter);
    naive.skip_scan = true;
    CHECK_FALSE(attack("second_thread", naive).correct); // outputs are taken at once
    naive.unguarded |= kt_wire::LateSnapshot;
    naive.ignore_flags = true;
    Verdict v = attack("second_thread", naive);
    INFO(v.reason);
    CHECK(counts(v));
    CHECK(gain(v) > kCheated);
}

TEST_CASE("hack: a library is opened behind the judge's back") {
    Verdict guarded = attack("vendor");
    CHECK_FALSE(guarded.correct);
    CHECK(guarded.flags.contains("vendor_symbol"));
    JudgeOptions naive = quick();
    naive.skip_scan = true;
    Verdict v = attack("vendor", naive);
    INFO(v.reason);
    CHECK(counts(v));
}

TEST_CASE("hack: the process ends itself with success") {
    Verdict guarded = attack("early_exit");
    CHECK_FALSE(guarded.correct);
    CHECK(guarded.reason.find("exit code 0") != std::string::npos);
    // A judge that shares its process with the answer and believes the exit code is taken in.
    LocalWorkshop workshop;
    BuildRequest request;
    request.files = {{"kernel_task.h", read_file(suite_folder() / "runner" / "kernel_task.h")},
                     {"answer.cpp", hack("early_exit")},
                     {"main.cpp",
                      "#include \"kernel_task.h\"\n"
                      "int main() { float x[1] = {1}, y[1] = {0};\n"
                      "  kt_tensor in = {x, KT_F32, 1, {1}, {1}}, out = {y, KT_F32, 1, {1}, {1}};\n"
                      "  solve(&in, 1, &out, 1, nullptr, nullptr);\n"
                      "  return y[0] > 0.5f ? 0 : 1; }\n"}};
    request.arguments = {"-std=c++20", "answer.cpp", "main.cpp"};
    Cancel cancel;
    BuildResult naive = workshop.build(Room::Build, request, cancel);
    INFO(naive.log);
    REQUIRE(naive.ok);
    TempFolder folder;
    RealFileSystem files;
    files.write(folder.path() / "naive", naive.bytes, 0755);
    Spawner spawner;
    CHECK(run_command(spawner, {(folder.path() / "naive").string()}, {}, cancel).ok());
}

TEST_CASE("hack: writes beside the output") {
    Verdict guarded = attack("write_beside");
    CHECK(guarded.flags.contains("wrote_outside"));
    CHECK(guarded.voided);
    JudgeOptions naive = quick();
    naive.ignore_flags = true;
    CHECK(counts(attack("write_beside", naive)));
}

TEST_CASE("hack: code that runs when the library is loaded") {
    Verdict guarded = attack("constructor");
    CHECK_FALSE(guarded.correct);
    CHECK(guarded.reason.find("when it is loaded") != std::string::npos);
    JudgeOptions naive = quick();
    naive.skip_scan = true;
    CHECK(counts(attack("constructor", naive)));
}

TEST_CASE("broken answers get one clear reason") {
    CHECK_FALSE(judge_locally(task(), "int main( {").built);
    CHECK(judge_locally(task(), "int main( {").build_log.find("error") != std::string::npos);
    Verdict none = judge_locally(task(), "int other() { return 0; }");
    CHECK(none.reason.find("no such entry") != std::string::npos);
    std::string head = "#include \"kernel_task.h\"\nextern \"C\" int32_t solve(const kt_tensor*, "
                       "int32_t, kt_tensor* out, int32_t, const kt_params*, void*) {";
    Verdict crash = judge_locally(task(), head + "*(volatile int*)8 = 1; return 0; }");
    CHECK(crash.reason.find("signal 11") != std::string::npos);
    Verdict hang = judge_locally(task(), head + "for (volatile int i = 0;; i = 1) {} }");
    CHECK(hang.reason.find("time limit") != std::string::npos);
    Verdict error = judge_locally(task(), head + "return 5; }");
    CHECK(error.reason.find("returned 5") != std::string::npos);
    Verdict zero =
        judge_locally(task(), head + "static_cast<float*>(out->data)[0] = 0; return 0; }");
    CHECK(zero.reason.find("is wrong in") != std::string::npos);
    CHECK(score_of(task(), zero).primary.value == 0);
    Verdict word = judge_locally(task(), "// secret_word\n" + head +
                                             "int secret_word = 0; return secret_word - 1; }");
    CHECK(word.flags.contains("forbidden_source"));
    CHECK(word.signals.size() == 2);
}
