#include "assay/suites/example.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <charconv>

namespace assay {

namespace {

struct Sum : Task {
    long a = 0, b = 0;
};

// "12+30" of line `number`; anything else is an error that names file and line.
std::shared_ptr<const Sum> parse_sum(std::string_view line, const std::string& file, int number) {
    auto sum = std::make_shared<Sum>();
    const char* end = line.data() + line.size();
    auto [plus, first] = std::from_chars(line.data(), end, sum->a);
    bool ok = first == std::errc() && plus != end && *plus == '+';
    if (ok) {
        auto [rest, second] = std::from_chars(plus + 1, end, sum->b);
        ok = second == std::errc() && rest == end;
    }
    if (!ok)
        throw Error(ErrorKind::Input, fmt::format("{}:{}: '{}' is not a sum", file, number, line))
            .hint("write one sum a line, for example 12+30");
    sum->header = {fmt::format("sum-{}-{}", sum->a, sum->b), "sums",
                   "sha256:" + sha256(line).hex()};
    sum->instruction = fmt::format("What is {} plus {}? Answer with the number.", sum->a, sum->b);
    sum->limits.agent = std::chrono::minutes(2);
    sum->limits.verify = std::chrono::seconds(10);
    return sum;
}

class Sums final : public TaskSet {
  public:
    Sums(std::string_view text, const std::string& file, const TaskFilter& filter) {
        int number = 0;
        for (std::string_view line : split_lines(text)) {
            ++number;
            if (trim(line).empty()) continue;
            auto sum = parse_sum(trim(line), file, number);
            if (!filter.wants(sum->header.id)) continue;
            headers_.push_back(sum->header);
            sums_.push_back(std::move(sum));
        }
    }
    const std::vector<TaskHeader>& headers() const override { return headers_; }
    TaskRef open(std::size_t index) override { return sums_.at(index); }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return refused_;
    }

  private:
    std::vector<TaskHeader> headers_;
    std::vector<std::shared_ptr<const Sum>> sums_;
    std::vector<std::pair<std::string, std::string>> refused_;
};

class Example final : public Suite {
  public:
    const SuiteInfo& info() const override {
        static const SuiteInfo info = {
            "example",
            "1",
            "three sums: the smallest suite, to be copied",
            {{"correct", "1 if the answer contains the sum", true, true}}};
        return info;
    }
    std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) override {
        if (source.empty()) return std::make_unique<Sums>("1+1\n12+30\n-4+9\n", "samples", filter);
        return std::make_unique<Sums>(RealFileSystem().read(source, 1 << 20), source.string(),
                                      filter);
    }
    void solve(const Task& task, TrialContext& context) override {
        const auto& sum = static_cast<const Sum&>(task);
        context.submit(std::to_string(sum.a + sum.b));
    }
    ScoreResult score(const Task& task, TrialContext& context) override {
        const auto& sum = static_cast<const Sum&>(task);
        std::string want = std::to_string(sum.a + sum.b);
        bool right = context.submission().find(want) != std::string::npos;
        ScoreResult result;
        result.primary = {"correct", right ? 1.0 : 0.0};
        result.explanation = "wanted " + want + ", got '" + context.submission() + "'";
        result.inputs = {{"submission", sha256(context.submission())}};
        return result;
    }
};

} // namespace

std::unique_ptr<Suite> make_example(const Settings&) {
    return std::make_unique<Example>();
}

} // namespace assay
