#include "assay/base/error.h"
#include "assay/base/text.h"
#include "judge.h"

#include <fmt/format.h>

namespace assay::kernel_bench {

namespace {

std::string read_source(const Path& folder, const char* name) {
    RealFileSystem fs;
    return fs.read(folder / name, 1 << 20);
}

// Builds trusted source, each text once a run: the runner and the yardsticks are the same for most
// tasks.
class Builder {
  public:
    Builder(OncePerKey<std::string>& made, const Path& suite_folder, Workshop& workshop,
            const Cancel& cancel)
        : made_(made)
        , runner_folder_(suite_folder / "runner")
        , workshop_(workshop)
        , cancel_(cancel) {}

    // The preprocessor's own answer: "g++ 12.2.0".
    std::string compiler_version() {
        std::string text =
            build("compiler", {{{"version.cpp", "__VERSION__\n"}}, {"-E", "-P", "version.cpp"}});
        return "g++ " + utf8_clean(replace_all(std::string(trim(text)), "\"", ""));
    }

    std::string runner() {
        BuildRequest request;
        for (const char* name :
             {"kernel_task.h", "wire.h", "child.h", "child.cpp", "filter.cpp", "runner.cpp"})
            request.files.emplace_back(name, read_source(runner_folder_, name));
        request.arguments = {"-O2", "-std=c++20", "runner.cpp", "child.cpp", "filter.cpp", "-ldl"};
        return build("runner", request);
    }

    std::string library(const KernelTask& task, const char* what, const std::string& text) {
        return build(what, {{{"kernel_task.h", read_source(runner_folder_, "kernel_task.h")},
                             {"source.cpp", text}},
                            build_arguments(task, "source.cpp")});
    }

    std::string peaks(const KernelTask& task) {
        return library(task, "peaks", read_source(runner_folder_, "peaks.cpp"));
    }

  private:
    static std::string key(const BuildRequest& request) {
        std::string all;
        auto add = [&](std::string_view part) {
            all += std::to_string(part.size()) + ':';
            all += part;
        };
        for (const auto& [name, text] : request.files) add(name), add(text);
        for (const std::string& argument : request.arguments) add(argument);
        return sha256(all).hex();
    }

    std::string build(const char* what, const BuildRequest& request) {
        auto make = [&] {
            BuildResult result = workshop_.build(Room::Trusted, request, cancel_);
            if (!result.ok)
                throw Error(
                    ErrorKind::Verifier,
                    fmt::format("the task's own {} does not compile:\n{}", what, result.log));
            return std::move(result.bytes);
        };
        return *made_.get(key(request), make, cancel_);
    }

    OncePerKey<std::string>& made_;
    Path runner_folder_;
    Workshop& workshop_;
    const Cancel& cancel_;
};

} // namespace

std::vector<std::string> build_arguments(const KernelTask& task, const std::string& file) {
    std::vector<std::string> arguments = {"-shared", "-fPIC", "-std=c++20", "-march=" + task.arch};
    arguments.insert(arguments.end(), task.flags.begin(), task.flags.end());
    if (task.threads > 1) arguments.emplace_back("-pthread");
    arguments.push_back(file);
    return arguments;
}

std::shared_ptr<const TrustedBuilds::Set> TrustedBuilds::get(const KernelTask& task,
                                                             const Path& suite_folder,
                                                             Workshop& workshop, Random& secret,
                                                             const Cancel& cancel) {
    return by_digest_.get(
        task.header.digest,
        [&] {
            Builder builder(builds_, suite_folder, workshop, cancel);
            Set set;
            // What is shared comes last: of two tasks that begin together one waits less for it.
            set.toolchain = builder.compiler_version();
            set.reference = builder.library(task, "reference", task.reference);
            set.baseline = builder.library(task, "baseline", task.baseline);
            set.peaks = builder.peaks(task);
            set.runner = builder.runner();
            set.degenerate = self_test(task, set, suite_folder, workshop, secret, cancel);
            return set;
        },
        cancel);
}

} // namespace assay::kernel_bench
