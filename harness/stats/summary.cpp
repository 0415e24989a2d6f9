#include "assay/stats/summary.h"

#include <cmath>
#include <map>
#include <numeric>

namespace assay {

namespace {
double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}
} // namespace

double mean_of_means(const TaskOutcomes& tasks) {
    double sum = 0;
    for (const auto& task : tasks) sum += mean(task);
    return sum / static_cast<double>(tasks.size());
}

std::optional<double> conditional_standard_error(const TaskOutcomes& tasks) {
    double sum = 0;
    for (const auto& task : tasks) {
        if (task.size() < 2) return std::nullopt;
        double m = mean(task), squares = 0;
        for (double x : task) squares += (x - m) * (x - m);
        double k = static_cast<double>(task.size());
        sum += squares / (k - 1) / k;
    }
    return std::sqrt(sum) / static_cast<double>(tasks.size());
}

std::optional<double> clustered_standard_error(const TaskOutcomes& tasks,
                                               const std::vector<std::string>& families) {
    double all = mean_of_means(tasks);
    std::map<std::string, double> residuals; // summed inside each cluster
    for (std::size_t i = 0; i < tasks.size(); ++i) residuals[families[i]] += mean(tasks[i]) - all;
    if (residuals.size() < 2) return std::nullopt;
    double sum = 0;
    for (const auto& [family, residual] : residuals) sum += residual * residual;
    return std::sqrt(sum) / static_cast<double>(tasks.size());
}

} // namespace assay
