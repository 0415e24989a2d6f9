#include "assay/stats/score.h"

#include "assay/base/error.h"
#include "assay/stats/summary.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace assay {

namespace {

std::optional<double> conditional_error(std::span<const TaskScores> tasks) {
    double sum = 0, variances = 0; // of variances of task means; of variances of scores
    std::size_t singles = 0;
    for (const TaskScores& task : tasks) {
        if (task.scores.size() < 2) {
            ++singles;
            continue;
        }
        double v = variance(task.scores);
        variances += v;
        sum += v / static_cast<double>(task.scores.size());
    }
    if (singles == tasks.size()) return std::nullopt;
    sum += static_cast<double>(singles) * variances / static_cast<double>(tasks.size() - singles);
    return std::sqrt(sum) / static_cast<double>(tasks.size());
}

// Sums of the deviations of task means, one a family.
std::vector<double> family_sums(std::span<const TaskScores> tasks, double value) {
    std::map<std::string, double> named;
    std::vector<double> sums;
    for (const TaskScores& task : tasks) {
        double deviation = mean(task.scores) - value;
        if (task.family.empty())
            sums.push_back(deviation);
        else
            named[task.family] += deviation;
    }
    for (const auto& [family, sum] : named) sums.push_back(sum);
    return sums;
}

void check(std::uint64_t n, std::uint64_t c, std::uint64_t k) {
    if (k < 1 || k > n || c > n)
        throw Error(ErrorKind::Internal, "pass@k needs 1 <= k <= n and c <= n");
}

// log(C(top, k) / C(n, k)) for k <= top <= n, as a sum of k or of n - top logarithms.
double log_choose_ratio(std::uint64_t top, std::uint64_t n, std::uint64_t k) {
    double log = 0;
    if (k <= n - top) {
        for (std::uint64_t i = 0; i < k; ++i)
            log += std::log1p(-static_cast<double>(n - top) / static_cast<double>(n - i));
    } else {
        for (std::uint64_t i = top + 1; i <= n; ++i)
            log += std::log1p(-static_cast<double>(k) / static_cast<double>(i));
    }
    return log;
}

template<class F>
std::optional<double> mean_over(std::span<const TaskScores> tasks, std::uint64_t k, F estimator) {
    if (tasks.empty() || k == 0) return std::nullopt;
    double sum = 0;
    for (const TaskScores& task : tasks) {
        if (task.scores.size() < k) return std::nullopt;
        auto passed = std::count_if(task.scores.begin(), task.scores.end(),
                                    [](double score) { return score >= 1; });
        sum += estimator(task.scores.size(), static_cast<std::uint64_t>(passed), k);
    }
    return sum / static_cast<double>(tasks.size());
}

} // namespace

Estimate estimate(std::span<const TaskScores> tasks) {
    Estimate out;
    out.tasks = tasks.size();
    if (tasks.empty()) return out;
    double sum = 0;
    for (const TaskScores& task : tasks) {
        if (task.scores.empty())
            throw Error(ErrorKind::Internal, "task " + task.task + " has no score");
        sum += mean(task.scores);
        out.attempts += task.scores.size();
        if (task.scores.size() == 1) ++out.single_attempt_tasks;
    }
    auto count = static_cast<double>(tasks.size());
    out.value = sum / count;
    out.conditional_error = conditional_error(tasks);
    std::vector<double> sums = family_sums(tasks, out.value);
    out.families = sums.size();
    if (sums.size() < 2) return out;
    double squares = 0;
    for (double s : sums) squares += s * s;
    auto families = static_cast<double>(sums.size());
    out.generalising_error = std::sqrt(families / (families - 1) * squares) / count;
    return out;
}

double pass_at_k(std::uint64_t n, std::uint64_t c, std::uint64_t k) {
    check(n, c, k);
    if (n - c < k) return 1;
    return -std::expm1(log_choose_ratio(n - c, n, k));
}

double pass_hat_k(std::uint64_t n, std::uint64_t c, std::uint64_t k) {
    check(n, c, k);
    if (c < k) return 0;
    return std::exp(log_choose_ratio(c, n, k));
}

std::optional<double> pass_at_k(std::span<const TaskScores> tasks, std::uint64_t k) {
    return mean_over(tasks, k, [](auto n, auto c, auto of) { return pass_at_k(n, c, of); });
}
std::optional<double> pass_hat_k(std::span<const TaskScores> tasks, std::uint64_t k) {
    return mean_over(tasks, k, [](auto n, auto c, auto of) { return pass_hat_k(n, c, of); });
}

} // namespace assay
