// assay bench harness|sandbox|store
#include "assay/base/error.h"
#include "bench.h"
#include "commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace assay {

double median(std::vector<double> samples) {
    if (samples.empty()) return 0;
    std::sort(samples.begin(), samples.end());
    std::size_t middle = samples.size() / 2;
    if (samples.size() % 2 == 1) return samples[middle];
    return (samples[middle - 1] + samples[middle]) / 2;
}

void print_bench(const std::vector<BenchNumber>& numbers, bool json) {
    if (json) {
        nlohmann::ordered_json out = nlohmann::ordered_json::array();
        for (const BenchNumber& number : numbers) {
            nlohmann::ordered_json one = {{"name", number.name},
                                          {"value", number.value},
                                          {"unit", number.unit},
                                          {"samples", number.samples}};
            if (number.goal != 0) {
                one["goal"] = number.goal;
                one["reached"] =
                    number.at_least ? number.value >= number.goal : number.value <= number.goal;
            }
            out.push_back(std::move(one));
        }
        std::printf("%s\n", out.dump(2).c_str());
        return;
    }
    for (const BenchNumber& number : numbers) {
        std::string goal;
        if (number.goal != 0)
            goal = fmt::format("  goal {} {:g} {}, {:.2f} of it", number.at_least ? "≥" : "≤",
                               number.goal, number.unit, number.value / number.goal);
        fmt::print("{:<46} {:>12.4g} {}{}\n", number.name, number.value, number.unit, goal);
    }
}

int command_bench(const Arguments& arguments) {
    BenchSettings settings{arguments.bench_seconds, arguments.bench_jobs, arguments.run.sandbox,
                           arguments.run.state};
    if (arguments.what == "sandbox" && settings.sandbox == "null")
        throw Error(ErrorKind::Usage, "bench sandbox: the sandbox null runs nothing, so there is "
                                      "nothing to measure")
            .hint("leave out --sandbox null");
    std::vector<BenchNumber> numbers;
    if (arguments.what == "harness")
        numbers = bench_harness(settings);
    else if (arguments.what == "store")
        numbers = bench_store(settings);
    else
        numbers = bench_sandbox(settings);
    print_bench(numbers, arguments.json);
    return 0;
}

} // namespace assay
