// The score of a run and its two standard errors, which answer two questions:
//
// * conditional: the tasks are fixed, only attempts vary. "Did this change behaviour on this
// suite?"
// * generalising: the tasks are a sample, in families that share a source. "Is it better at this
//   kind of work?"
//
// Pure functions of the scores. Attempts that have no score (infrastructure errors) are left out by
// the caller; a task with no scored attempt must be left out too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay {

struct TaskScores {
    std::string task, family;   // an empty family: a family of its own
    std::vector<double> scores; // of its attempts, at least one
};

struct Estimate {
    double value = 0; // mean over tasks of the task's mean
    // sqrt(sum s_i^2 / k_i) / T; for 0/1 scores sqrt(sum p(1-p)/(k-1)) / T as on the Terminal-Bench
    // leaderboard. A task with one attempt is given the mean variance of the others; absent if
    // every task has only one.
    std::optional<double> conditional_error;
    // sqrt(G/(G-1) sum_g (sum_{i in g} (x_i - mean))^2) / T over G families (the cluster-robust
    // error of Miller, arXiv 2411.00640, eq. 4, with the small-sample factor); for t with G - 1
    // degrees of freedom. Absent if there is one family.
    std::optional<double> generalising_error;
    std::size_t tasks = 0, families = 0, attempts = 0;
    std::size_t single_attempt_tasks = 0;
};

Estimate estimate(std::span<const TaskScores> tasks); // of no task: all zero

// Unbiased estimates from c successes in n attempts (Chen et al., arXiv 2107.03374; Yao et al.,
// arXiv 2406.12045), 1 - C(n-c,k)/C(n,k) and C(c,k)/C(n,k), without large numbers. 1 <= k <= n and
// c <= n, else Error(Internal).
double pass_at_k(std::uint64_t n, std::uint64_t c, std::uint64_t k);  // at least one of k passes
double pass_hat_k(std::uint64_t n, std::uint64_t c, std::uint64_t k); // all k pass

// Mean over tasks; a task passes an attempt if its score is >= 1. Absent if a task has fewer than k
// attempts.
std::optional<double> pass_at_k(std::span<const TaskScores> tasks, std::uint64_t k);
std::optional<double> pass_hat_k(std::span<const TaskScores> tasks, std::uint64_t k);

} // namespace assay
