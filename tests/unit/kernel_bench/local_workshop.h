// A workshop of plain processes, for tests: what the product does in sandboxes, done in folders.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "assay/io/fd_stream.h"
#include "assay/io/run_command.h"
#include "assay/io/spawner.h"
#include "judge.h"
#include "workshop.h"

#include <fmt/format.h>

namespace assay::kernel_bench::test {

inline Path suite_folder() {
    return Path(ASSAY_SOURCE_DIR) / "suites" / "kernel_bench";
}

class LocalRunner final : public RunnerLink {
  public:
    LocalRunner(Spawner& spawner, const Path& folder)
        : library_((folder / "answer.so").string()) {
        Pipe in = make_pipe(), out = make_pipe();
        ChildSpec spec;
        spec.argv = {(folder / "runner").string()};
        spec.in = std::move(in.read_end);
        spec.out = std::move(out.write_end);
        process_ = spawner.spawn(std::move(spec));
        in_ = std::make_unique<FdStream>(std::move(in.write_end));
        out_ = std::make_unique<FdStream>(std::move(out.read_end));
    }
    Stream& to_runner() override { return *in_; }
    Stream& from_runner() override { return *out_; }
    std::string library_path() const override { return library_; }
    std::string ending(const Cancel& cancel) override { return process_.wait(cancel).text(); }

  private:
    std::string library_;
    ChildProcess process_;
    std::unique_ptr<FdStream> in_, out_;
};

class LocalWorkshop : public Workshop {
  public:
    BuildResult build(Room, const BuildRequest& request, const Cancel& cancel) override {
        Path folder = next_folder();
        for (const auto& [name, text] : request.files) files_.write(folder / name, text, 0644);
        std::vector<std::string> argv = {"g++"};
        argv.insert(argv.end(), request.arguments.begin(), request.arguments.end());
        argv.insert(argv.end(), {"-o", "built"});
        CommandOptions options;
        options.cwd = folder;
        options.timeout = from_seconds(request.seconds);
        CommandResult made = run_command(spawner_, std::move(argv), std::move(options), cancel);
        BuildResult result;
        result.ok = made.ok();
        result.log = made.out + made.err;
        if (result.ok) result.bytes = files_.read(folder / "built", 1ull << 30);
        return result;
    }

    std::unique_ptr<RunnerLink> start(Room room, std::string_view runner, std::string_view library,
                                      const Cancel&) override {
        Path folder = next_folder();
        files_.write(folder / "runner", runner, 0755);
        files_.write(folder / "answer.so", library, 0644);
        std::filesystem::permissions(folder, std::filesystem::perms(0755));
        if (room == Room::Answer && !beside_answer.empty())
            files_.write(folder / "beside", beside_answer, 0644);
        return std::make_unique<LocalRunner>(spawner_, folder);
    }

    std::string beside_answer; // a file that a careless judge leaves where the answer runs

  private:
    Path next_folder() {
        Path folder = temp_.path() / fmt::format("{}", ++count_);
        files_.make_folders(folder);
        std::filesystem::permissions(temp_.path(), std::filesystem::perms(0755));
        return folder;
    }

    RealFileSystem files_;
    TempFolder temp_{"kernel_bench"};
    Spawner spawner_;
    int count_ = 0;
};

// Quick, and not about speed.
inline JudgeOptions quick() {
    JudgeOptions options;
    options.batch = 6;
    options.max_trials = 12;
    options.seconds_per_case = 0.2;
    options.wall_time_only = true;
    return options;
}

inline Verdict judge_locally(const KernelTask& task, std::string_view source,
                             const JudgeOptions& options = quick(),
                             LocalWorkshop* given = nullptr) {
    static TrustedBuilds trusted;
    LocalWorkshop own;
    LocalWorkshop& workshop = given != nullptr ? *given : own;
    SystemRandom random;
    Cancel cancel;
    auto set = trusted.get(task, suite_folder(), workshop, random, cancel);
    return judge(task, source, *set, suite_folder(), workshop, random, options, {}, cancel);
}

inline std::string read_file(const Path& path) {
    RealFileSystem files;
    return files.read(path, 1 << 20);
}

} // namespace assay::kernel_bench::test
