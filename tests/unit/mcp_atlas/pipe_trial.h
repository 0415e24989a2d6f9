// A trial whose sandboxes are folders of this machine: commands run over plain pipes, /data is a
// temporary folder. For the suite's own logic; the system tests use real sandboxes.
#pragma once

#include "assay/base/text.h"
#include "fake_trial.h"
#include "local_process.h"

#include <deque>

namespace assay::test {

class PipeSandbox final : public Sandbox {
  public:
    PipeSandbox(Spawner& spawner, SandboxSpec spec)
        : spawner_(spawner)
        , spec_(std::move(spec)) {}

    Path data() const { return folder_.path() / "data"; }
    const std::string& name() const override { return spec_.name; }
    SandboxCapabilities capabilities() const override { return {}; }
    bool alive() const override { return live; }
    std::unique_ptr<Process> spawn(const std::vector<std::string>& argv, const SpawnOptions&,
                                   const Cancel&) override {
        std::vector<std::string> here;
        for (const std::string& word : argv)
            here.push_back(word.starts_with("/opt/") || word.starts_with("/data")
                               ? folder_.path().string() + word
                               : word);
        if (argv[0].find("mcp-kit") != std::string::npos) {
            here.push_back("--data");
            here.push_back(data().string());
        }
        ++spawned;
        return std::make_unique<LocalProcess>(spawner_, here);
    }
    ExecResult exec(const std::vector<std::string>& argv, const ExecOptions&,
                    const Cancel&) override {
        if (argv[0] == "mkdir") std::filesystem::create_directories(data());
        return {};
    }
    std::unique_ptr<Stream> connect(std::uint16_t, const Cancel&) override { no(); }
    std::unique_ptr<Exposed> expose(Service, const Cancel&) override { no(); }
    void put_file(const std::string& path, std::string_view bytes, unsigned mode,
                  const Cancel&) override {
        Path at = folder_.path().string() + path;
        std::filesystem::create_directories(at.parent_path());
        RealFileSystem().write(at, bytes, mode);
    }
    void put_folder(const Path& from, const std::string& path, const Cancel&) override {
        std::filesystem::copy(from, folder_.path().string() + path,
                              std::filesystem::copy_options::recursive);
    }
    std::optional<std::string> get_file(const std::string&, std::uint64_t, const Cancel&) override {
        no();
    }
    std::vector<std::string> get_folder(const std::string&, const Path&, std::uint64_t,
                                        const Cancel&) override {
        no();
    }
    void remove(const std::string&, const Cancel&) override { no(); }
    void kill_all(const Cancel&) override { no(); }
    void set_network(const NetworkPolicy&, const Cancel&) override { no(); }
    ResourceUsage usage() override { return {}; }
    std::shared_ptr<Checkpoint> checkpoint(const Cancel&) override { no(); }

    bool live = true;
    int spawned = 0;

  private:
    [[noreturn]] static void no() { throw Error(ErrorKind::Unsupported, "not in this fake"); }
    Spawner& spawner_;
    SandboxSpec spec_;
    TempFolder folder_{"atlas"};
};

class PipeEnvironment final : public Environment {
  public:
    explicit PipeEnvironment(const EnvironmentSpec& spec) {
        for (const SandboxSpec& one : spec.sandboxes) sandboxes.emplace_back(spawner_, one);
    }
    Sandbox& main() override { return sandboxes.front(); }
    Sandbox* find(std::string_view name) override {
        for (PipeSandbox& one : sandboxes)
            if (one.name() == name) return &one;
        return nullptr;
    }
    std::vector<std::string> names() const override {
        std::vector<std::string> out;
        for (const PipeSandbox& one : sandboxes) out.push_back(one.name());
        return out;
    }
    Sandbox& add(const SandboxSpec& spec, const Cancel&) override {
        return sandboxes.emplace_back(spawner_, spec);
    }
    void remove(std::string_view) override {}
    std::vector<BaseRecord> bases() const override { return {}; }
    ResourceUsage usage() override { return {}; }

  private:
    Spawner spawner_;

  public:
    std::deque<PipeSandbox> sandboxes;
};

// As harness/run does it: environment, then tools, then the agent, then the score.
class PipeTrial final : public FakeTrial {
  public:
    PipeTrial(Suite& suite, TaskRef task)
        : FakeTrial(task->header.id)
        , suite_(suite)
        , task_(std::move(task))
        , pipes(task_->environment) {
        suite_.prepare(*task_, *this);
        tools_ = suite_.tools(*task_, *this);
    }
    Environment& environment() override { return pipes; }
    ToolSet& tools() override { return *tools_; }
    Suite& suite() override { return suite_; }

  private:
    Suite& suite_;
    TaskRef task_;

  public:
    PipeEnvironment pipes;

  private:
    std::unique_ptr<ToolSet> tools_;
};

} // namespace assay::test
