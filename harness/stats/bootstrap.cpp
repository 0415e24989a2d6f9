#include "assay/stats/bootstrap.h"

#include "assay/base/random.h"
#include "assay/stats/summary.h"

#include <map>
#include <string>

namespace assay {

namespace {

using Family = std::vector<const TaskScores*>;

std::vector<Family> families_of(std::span<const TaskScores> tasks) {
    std::map<std::string, std::size_t> index;
    std::vector<Family> out;
    for (const TaskScores& task : tasks) {
        std::size_t at = out.size();
        if (!task.family.empty()) at = index.emplace(task.family, at).first->second;
        if (at == out.size()) out.emplace_back();
        out[at].push_back(&task);
    }
    return out;
}

std::size_t pick(Random& random, std::size_t i, std::size_t count, bool draw) {
    return draw ? static_cast<std::size_t>(random.below(count)) : i;
}

std::vector<TaskScores> draw_again(const std::vector<Family>& families, Random& random,
                                   const BootstrapOptions& options) {
    std::vector<TaskScores> out;
    for (std::size_t f = 0; f < families.size(); ++f) {
        const Family& family = families[pick(random, f, families.size(), options.families)];
        for (std::size_t t = 0; t < family.size(); ++t) {
            const TaskScores& task = *family[pick(random, t, family.size(), options.tasks)];
            TaskScores drawn{task.task, task.family, {}};
            drawn.scores.reserve(task.scores.size());
            for (std::size_t a = 0; a < task.scores.size(); ++a)
                drawn.scores.push_back(
                    task.scores[pick(random, a, task.scores.size(), options.attempts)]);
            out.push_back(std::move(drawn));
        }
    }
    return out;
}

} // namespace

std::vector<double> bootstrap(std::span<const TaskScores> tasks, const Statistic& statistic,
                              const BootstrapOptions& options) {
    std::vector<double> out;
    if (tasks.empty()) return out;
    std::vector<Family> families = families_of(tasks);
    for (int i = 0; i < options.replicates; ++i) {
        // A stream a replicate: replicate i is the same whatever the number of them.
        CounterRandom random(options.seed, static_cast<std::uint64_t>(i));
        out.push_back(statistic(draw_again(families, random, options)));
    }
    return out;
}

Interval bootstrap_interval(std::span<const TaskScores> tasks, const Statistic& statistic,
                            const BootstrapOptions& options, double confidence) {
    std::vector<double> values = bootstrap(tasks, statistic, options);
    return {quantile(values, (1 - confidence) / 2), quantile(values, (1 + confidence) / 2)};
}

} // namespace assay
