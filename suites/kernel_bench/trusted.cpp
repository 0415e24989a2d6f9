#include "assay/base/error.h"
#include "assay/base/text.h"
#include "judge.h"

namespace assay::kernel_bench {

namespace {

std::string read_source(const Path& folder, const char* name) {
    RealFileSystem fs;
    return fs.read(folder / name, 1 << 20);
}

std::string build_trusted(Workshop& workshop, const std::string& what, const BuildRequest& request,
                          const Cancel& cancel) {
    BuildResult result = workshop.build(Room::Trusted, request, cancel);
    if (!result.ok)
        throw Error(ErrorKind::Verifier,
                    "the task's own " + what + " does not compile:\n" + result.log);
    return std::move(result.bytes);
}

// The preprocessor's own answer: "g++ 12.2.0".
std::string compiler_version(Workshop& workshop, const Cancel& cancel) {
    BuildRequest request;
    request.files = {{"version.cpp", "__VERSION__\n"}};
    request.arguments = {"-E", "-P", "version.cpp"};
    std::string text = build_trusted(workshop, "compiler", request, cancel);
    return "g++ " + utf8_clean(replace_all(std::string(trim(text)), "\"", ""));
}

TrustedBuilds::Set build_set(const KernelTask& task, const Path& suite_folder, Workshop& workshop,
                             Random& secret, const Cancel& cancel) {
    TrustedBuilds::Set set;
    set.toolchain = compiler_version(workshop, cancel);
    std::string abi = read_source(suite_folder / "runner", "kernel_task.h");
    BuildRequest runner;
    for (const char* name :
         {"kernel_task.h", "wire.h", "child.h", "child.cpp", "filter.cpp", "runner.cpp"})
        runner.files.emplace_back(name, read_source(suite_folder / "runner", name));
    runner.arguments = {"-O2", "-std=c++20", "runner.cpp", "child.cpp", "filter.cpp", "-ldl"};
    set.runner = build_trusted(workshop, "runner", runner, cancel);
    auto library = [&](const char* what, const std::string& text) {
        BuildRequest request;
        request.files = {{"kernel_task.h", abi}, {"source.cpp", text}};
        request.arguments = build_arguments(task, "source.cpp");
        return build_trusted(workshop, what, request, cancel);
    };
    set.reference = library("reference", task.reference);
    set.baseline = library("baseline", task.baseline);
    set.peaks = library("peaks", read_source(suite_folder / "runner", "peaks.cpp"));
    set.degenerate = self_test(task, set, suite_folder, workshop, secret, cancel);
    return set;
}

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
        task.header.digest, [&] { return build_set(task, suite_folder, workshop, secret, cancel); },
        cancel);
}

} // namespace assay::kernel_bench
