#include "assay/sandboxes/null.h"
#include "null/null_files.h"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace assay {

namespace {

class TextStream final : public Stream { // reads a text, swallows what is written
  public:
    explicit TextStream(std::string text)
        : text_(std::move(text)) {}
    std::size_t read(std::span<char> into, const Cancel& cancel) override {
        cancel.check();
        std::size_t n = std::min(into.size(), text_.size() - at_);
        std::copy_n(text_.data() + at_, n, into.data());
        at_ += n;
        return n;
    }
    void write(std::string_view, const Cancel& cancel) override { cancel.check(); }
    void shutdown_write() override {}
    void close() override { at_ = text_.size(); }

  private:
    std::string text_;
    std::size_t at_ = 0;
};

class NullProcess final : public Process {
  public:
    NullProcess(int id, ExecResult result)
        : id_(id)
        , status_(result.status)
        , in_("")
        , out_(std::move(result.out))
        , err_(std::move(result.err)) {}
    int id() const override { return id_; }
    Stream& in() override { return in_; }
    Stream& out() override { return out_; }
    Stream& err() override { return err_; }
    void signal(int) override {}
    void resize(TerminalSize) override {}
    ExitStatus wait(const Cancel& cancel) override {
        cancel.check();
        return status_;
    }

  private:
    int id_;
    ExitStatus status_;
    TextStream in_, out_, err_;
};

class NullCheckpoint final : public Checkpoint {
  public:
    NullCheckpoint(const NullFiles& files, int depth)
        : files_(files)
        , digest_(sha256(files_.manifest()))
        , depth_(depth) {}
    Digest digest() const override { return digest_; }
    std::uint64_t bytes() const override { return files_.bytes(); }
    int depth() const override { return depth_; }
    const NullFiles& files() const { return files_; }

  private:
    NullFiles files_;
    Digest digest_;
    int depth_;
};

SandboxCapabilities null_capabilities() {
    SandboxCapabilities can;
    can.multi_user = true;
    can.checkpoint = true;
    can.network = {NetworkMode::None, NetworkMode::AllowList, NetworkMode::Public};
    can.notes = "runs nothing: commands are answered by the harness, files live in memory";
    return can;
}

class NullSandbox final : public Sandbox {
  public:
    NullSandbox(std::string name, const NullOptions& options, const NullFiles& files, int depth)
        : name_(std::move(name))
        , options_(options)
        , files_(files)
        , depth_(depth) {}

    const std::string& name() const override { return name_; }
    SandboxCapabilities capabilities() const override { return null_capabilities(); }
    bool alive() const override { return true; }

    std::unique_ptr<Process> spawn(const std::vector<std::string>& argv,
                                   const SpawnOptions& options, const Cancel& cancel) override {
        ExecOptions exec_options;
        static_cast<SpawnOptions&>(exec_options) = options;
        return std::make_unique<NullProcess>(next_id_++, exec(argv, exec_options, cancel));
    }
    ExecResult exec(const std::vector<std::string>& argv, const ExecOptions& options,
                    const Cancel& cancel) override {
        cancel.check();
        if (argv.empty()) throw StartError("an empty command");
        return options_.answer ? options_.answer(*this, argv, options, cancel) : ExecResult{};
    }
    std::unique_ptr<Stream> connect(std::uint16_t, const Cancel&) override {
        throw Error(ErrorKind::Unsupported, "the null sandbox has no network");
    }
    std::unique_ptr<Exposed> expose(Service, const Cancel&) override {
        throw Error(ErrorKind::Unsupported, "the null sandbox has no network");
    }
    void put_file(const std::string& path, std::string_view data, unsigned mode,
                  const Cancel& cancel) override {
        cancel.check();
        files_.put(path, data, mode);
    }
    void put_folder(const Path& host, const std::string& path, const Cancel& cancel) override {
        files_.put_folder(host, path, cancel);
    }
    std::optional<std::string> get_file(const std::string& path, std::uint64_t limit,
                                        const Cancel& cancel) override {
        cancel.check();
        return files_.get(path, limit);
    }
    std::vector<std::string> get_folder(const std::string& path, const Path& host,
                                        std::uint64_t limit, const Cancel& cancel) override {
        return files_.get_folder(path, host, limit, cancel);
    }
    void remove(const std::string& path, const Cancel& cancel) override {
        cancel.check();
        files_.remove(path);
    }
    void kill_all(const Cancel& cancel) override { cancel.check(); } // nothing runs
    void set_network(const NetworkPolicy&, const Cancel&) override {}
    ResourceUsage usage() override { return {}; }
    std::shared_ptr<Checkpoint> checkpoint(const Cancel& cancel) override {
        cancel.check();
        return std::make_shared<NullCheckpoint>(files_, ++depth_);
    }

  private:
    std::string name_;
    const NullOptions& options_;
    NullFiles files_;
    std::atomic<int> depth_;
    std::atomic<int> next_id_ = 2;
};

class NullEnvironment final : public Environment {
  public:
    NullEnvironment(const EnvironmentSpec& spec, std::shared_ptr<const NullOptions> options,
                    const NullCheckpoint* from)
        : options_(std::move(options)) {
        if (spec.sandboxes.empty())
            throw Error(ErrorKind::Input, "an environment without a sandbox");
        for (const SandboxSpec& sandbox : spec.sandboxes) {
            bool restored = from != nullptr && sandboxes_.empty();
            make(sandbox, restored ? from->files() : NullFiles(), restored ? from->depth() : 0);
        }
    }

    Sandbox& main() override {
        std::lock_guard lock(mutex_);
        return *sandboxes_.front();
    }
    Sandbox* find(std::string_view name) override {
        std::lock_guard lock(mutex_);
        for (auto& sandbox : sandboxes_)
            if (sandbox->name() == name) return sandbox.get();
        return nullptr;
    }
    std::vector<std::string> names() const override {
        std::lock_guard lock(mutex_);
        std::vector<std::string> out;
        for (const auto& sandbox : sandboxes_) out.push_back(sandbox->name());
        return out;
    }
    Sandbox& add(const SandboxSpec& spec, const Cancel& cancel) override {
        cancel.check();
        std::lock_guard lock(mutex_);
        return make(spec, NullFiles(), 0);
    }
    void remove(std::string_view name) override {
        std::lock_guard lock(mutex_);
        std::erase_if(sandboxes_, [&](const auto& sandbox) { return sandbox->name() == name; });
    }
    std::vector<BaseRecord> bases() const override { return {{"null", "null", false, {}}}; }
    ResourceUsage usage() override { return {}; }

  private:
    Sandbox& make(const SandboxSpec& spec, const NullFiles& files, int depth) {
        for (const auto& sandbox : sandboxes_)
            if (sandbox->name() == spec.name)
                throw Error(ErrorKind::Input, "two sandboxes named '" + spec.name + "'");
        sandboxes_.push_back(std::make_unique<NullSandbox>(spec.name, *options_, files, depth));
        return *sandboxes_.back();
    }

    std::shared_ptr<const NullOptions> options_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<NullSandbox>> sandboxes_;
};

class NullBackend final : public SandboxBackend {
  public:
    explicit NullBackend(NullOptions options)
        : options_(std::make_shared<const NullOptions>(std::move(options))) {}
    std::string name() const override { return "null"; }
    SandboxCapabilities capabilities() override { return null_capabilities(); }
    void check(const EnvironmentSpec&) override {}
    BaseRecord prepare(const BaseSpec& base, const Cancel& cancel) override {
        cancel.check();
        return {base.name, "null", true, {}};
    }
    std::unique_ptr<Environment> start(const EnvironmentSpec& spec, const Cancel& cancel) override {
        return begin(spec, nullptr, cancel);
    }
    std::unique_ptr<Environment> start_from(const EnvironmentSpec& spec,
                                            std::shared_ptr<Checkpoint> from,
                                            const Cancel& cancel) override {
        auto* mine = dynamic_cast<NullCheckpoint*>(from.get());
        if (mine == nullptr)
            throw Error(ErrorKind::Sandbox, "this checkpoint is of another sandbox backend");
        return begin(spec, mine, cancel);
    }

  private:
    std::unique_ptr<Environment> begin(const EnvironmentSpec& spec, const NullCheckpoint* from,
                                       const Cancel& cancel) {
        cancel.check();
        if (options_->on_start) options_->on_start(spec);
        return std::make_unique<NullEnvironment>(spec, options_, from);
    }

    std::shared_ptr<const NullOptions> options_;
};

} // namespace

std::unique_ptr<SandboxBackend> make_null_backend(NullOptions options) {
    return std::make_unique<NullBackend>(std::move(options));
}

} // namespace assay
