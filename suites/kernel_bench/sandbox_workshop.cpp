#include "sandbox_workshop.h"

#include "assay/base/error.h"

#include <fmt/format.h>

namespace assay::kernel_bench {

namespace {

constexpr std::uint64_t kMaxBuilt = 64u << 20;
constexpr std::uint64_t kRoomMemory = 3ull << 30;
constexpr std::uint64_t kRoomProcesses = 128;
const std::string kFolder = "/kernel";

class SandboxRunner final : public RunnerLink {
  public:
    SandboxRunner(std::unique_ptr<Process> process, std::string library)
        : process_(std::move(process))
        , library_(std::move(library)) {}
    ~SandboxRunner() override {
        try {
            process_->signal(9);
        } catch (const std::exception&) {
            // The sandbox is gone, and the runner with it.
        }
    }
    Stream& to_runner() override { return process_->in(); }
    Stream& from_runner() override { return process_->out(); }
    std::string library_path() const override { return library_; }
    std::string ending(const Cancel& cancel) override {
        return process_->wait(cancel).text(); // of a lost sandbox there is no exit status
    }

  private:
    std::unique_ptr<Process> process_;
    std::string library_;
};

class SandboxWorkshop final : public Workshop {
  public:
    SandboxWorkshop(TrialContext& context, BaseSpec base)
        : context_(context)
        , base_(std::move(base)) {}

    BuildResult build(Room room, const BuildRequest& request, const Cancel& cancel) override {
        Sandbox& box = sandbox(room);
        std::string folder = fmt::format("{}/build{}", kFolder, ++count_);
        for (const auto& [name, text] : request.files)
            box.put_file(folder + "/" + name, text, 0644, cancel);
        std::vector<std::string> argv = {"g++"};
        argv.insert(argv.end(), request.arguments.begin(), request.arguments.end());
        argv.insert(argv.end(), {"-o", "built"});
        ExecOptions options;
        options.cwd = folder;
        options.timeout = from_seconds(request.seconds);
        options.output_limit = 32 * 1024;
        options.merge_stderr = true;
        options.environment = {{"LC_ALL", "C.UTF-8"}};
        ExecResult made = exec(box, argv, options);
        BuildResult result;
        result.log = std::move(made.out);
        result.seconds = made.seconds;
        if (made.timed_out)
            result.log += fmt::format("\nthe compiler was stopped after {} s", request.seconds);
        if (!made.ok()) return result;
        auto bytes = box.get_file(folder + "/built", kMaxBuilt, cancel);
        if (!bytes) {
            result.log += "\nthe compiler made no file";
            return result;
        }
        result.ok = true;
        result.bytes = std::move(*bytes);
        return result;
    }

    std::unique_ptr<RunnerLink> start(Room room, std::string_view runner, std::string_view library,
                                      const Cancel& cancel) override {
        Sandbox& box = sandbox(room);
        std::string folder = fmt::format("{}/run{}", kFolder, ++count_);
        box.put_file(folder + "/runner", runner, 0755, cancel);
        box.put_file(folder + "/answer.so", library, 0644, cancel);
        SpawnOptions options;
        options.cwd = folder;
        options.stdin_mode = StdinMode::Pipe;
        return std::make_unique<SandboxRunner>(box.spawn({folder + "/runner"}, options, cancel),
                                               folder + "/answer.so");
    }

  private:
    ExecResult exec(Sandbox& box, const std::vector<std::string>& argv,
                    const ExecOptions& options) {
        try {
            return recorded_exec(box, argv, options, context_);
        } catch (const StartError& e) {
            throw Error(ErrorKind::Sandbox, "the sandbox has no g++: " + e.message())
                .hint("use a base with g++ (--base), or install g++ on this machine for the base "
                      "'host'");
        }
    }

    Sandbox& sandbox(Room room) {
        auto& environment = rooms_[room];
        if (!environment) {
            EnvironmentSpec spec;
            SandboxSpec& box = spec.sandboxes.front();
            box.base = base_;
            box.limits.memory_bytes = kRoomMemory;
            box.limits.pids = kRoomProcesses;
            box.network.mode = NetworkMode::None;
            environment = context_.new_environment(spec);
        }
        return environment->main();
    }

    TrialContext& context_;
    BaseSpec base_;
    std::map<Room, std::unique_ptr<Environment>> rooms_;
    int count_ = 0;
};

} // namespace

std::unique_ptr<Workshop> make_sandbox_workshop(TrialContext& context, BaseSpec base) {
    return std::make_unique<SandboxWorkshop>(context, std::move(base));
}

} // namespace assay::kernel_bench
