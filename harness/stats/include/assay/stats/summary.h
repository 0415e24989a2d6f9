// Means and standard errors of a suite's score. Pure functions.
//
// A suite has tasks, a task has attempts with outcomes in [0,1]. Two standard errors answer two
// questions: the conditional one holds the tasks fixed (did this build change on this suite?), the
// generalising one takes the tasks as a sample, clustered by family (how good is it at such work?).
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace assay {

using TaskOutcomes = std::vector<std::vector<double>>; // per task, per attempt; no empty task

double mean_of_means(const TaskOutcomes& tasks);

// sqrt(sum_t s_t^2 / k_t) / T with the sample variance s_t^2 of the task's attempts; for outcomes 0
// and 1 this is Terminal-Bench's sqrt(sum p(1-p)/(k-1)) / T. nullopt if a task has fewer than 2
// attempts.
std::optional<double> conditional_standard_error(const TaskOutcomes& tasks);

// Cluster-robust standard error of the mean of task means (Miller, arXiv 2411.00640, eq. 4):
// families are the clusters. nullopt with fewer than 2 families. `families` is parallel to `tasks`.
std::optional<double> clustered_standard_error(const TaskOutcomes& tasks,
                                               const std::vector<std::string>& families);

} // namespace assay
