// From a verdict to scores, measurements and the record of a submission.
#include "assay/base/text.h"
#include "assay/stats/summary.h"
#include "judge.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::kernel_bench {

namespace {

using nlohmann::json;

json interval(const Interval& i) {
    return {{"low", i.low}, {"median", i.middle}, {"high", i.high}};
}

json case_record(const CaseResult& c) {
    json out = {{"case", c.name},
                {"verified_calls", c.calls},
                {"correct",
                 {{"ok", c.worst.bad == 0},
                  {"elements", c.worst.count},
                  {"bad", c.worst.bad},
                  {"max_abs", c.worst.max_abs},
                  {"max_rel", c.worst.max_rel},
                  {"rmse_over_std", c.worst.rmse_over_std}}}};
    if (!c.timed) return out;
    auto [low, high] = std::minmax_element(c.answer.begin(), c.answer.end());
    out["time"] = {{"median_s", c.time.middle},
                   {"ci95_s", {c.time.low, c.time.high}},
                   {"mean_s", mean(c.answer)},
                   {"min_s", *low},
                   {"max_s", *high},
                   {"n", c.answer.size()}};
    out["baseline"] = {{"median_s", median(c.baseline)}, {"n", c.baseline.size()}};
    out["clock"] = c.by_cpu_time ? "cpu" : "wall";
    out["achieved"] = {{"gflops", c.gflops}, {"gbytes", c.gbytes}};
    out["peak_fraction"] = c.peak_fraction;
    return out;
}

} // namespace

std::string record_of(const KernelTask& task, const Verdict& v) {
    json cases = json::array();
    for (const CaseResult& c : v.cases) cases.push_back(case_record(c));
    json record = {
        {"task", task.header.id},
        {"build",
         {{"ok", v.built},
          {"seconds", v.build_seconds},
          {"log", utf8_clean(v.build_log)},
          {"toolchain", v.toolchain},
          {"arguments", build_arguments(task, "solution.cpp")}}},
        {"correct", v.correct},
        {"voided", v.voided},
        {"reason", utf8_clean(v.reason)},
        {"flags", v.flags},
        {"degenerate", v.degenerate},
        {"signals", v.signals},
        {"cases", cases},
        {"speedup", interval(v.speedup)},
        {"peak_fraction", v.peak_fraction},
        {"cpus", v.cpus},
        {"peak",
         {{"id", fmt::format("measured/{}/1-thread", task.arch)},
          {"gflops", v.peak_gflops},
          {"gbytes", v.peak_gbytes},
          {"regime", task.compute_bound ? "compute" : "memory"}}},
        {"code_sha256", v.code_sha256},
        {"seed", {{"commitment_sha256", v.commitment}, {"opened", v.seed_hex}}},
    };
    return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<Measurement> measurements_of(const KernelTask& task, const Verdict& v) {
    std::vector<Measurement> out;
    for (const CaseResult& c : v.cases) {
        if (!c.timed) continue;
        json facts = {{"clock", c.by_cpu_time ? "cpu" : "wall"},
                      {"cpus", v.cpus},
                      {"gflops", c.gflops},
                      {"gbytes", c.gbytes},
                      {"peak_fraction", c.peak_fraction},
                      {"peak_gflops", v.peak_gflops},
                      {"peak_gbytes", v.peak_gbytes}};
        out.push_back({task.header.id + "/" + c.name, "s", c.answer, facts.dump()});
        out.push_back({task.header.id + "/" + c.name + "/baseline", "s", c.baseline, "{}"});
    }
    return out;
}

ScoreResult score_of(const KernelTask& task, const Verdict& v) {
    bool counts = v.built && v.correct && !v.voided;
    auto fast = [&](double p) { return counts && (p == 0 || v.speedup.low > p) ? 1.0 : 0.0; };
    ScoreResult score;
    score.primary = {"fast_1", fast(1)};
    score.others = {{"fast_0", fast(0)},
                    {"fast_1.5", fast(1.5)},
                    {"fast_2", fast(2)},
                    {"speedup", counts ? v.speedup.middle : 0},
                    {"peak_fraction", counts ? v.peak_fraction : 0}};
    score.details = record_of(task, v);
    if (!v.built || !v.correct || v.voided) {
        score.explanation = v.reason;
        if (!v.built && !v.build_log.empty()) score.explanation += "\n" + v.build_log;
    } else {
        score.explanation = fmt::format(
            "correct; {:.2f}x the baseline (95 % interval {:.2f} to {:.2f}); {:.1f} % of the "
            "measured peak",
            v.speedup.middle, v.speedup.low, v.speedup.high, v.peak_fraction * 100);
    }
    std::string flags;
    for (const std::string& flag : v.flags) flags += (flags.empty() ? "" : ", ") + flag;
    if (!flags.empty()) score.explanation += "\nflags: " + flags;
    return score;
}

} // namespace assay::kernel_bench
