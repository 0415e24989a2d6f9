// A sandbox that runs nothing: commands are answered by a function, files live in a map, terminals
// and services are in memory. For tests of agents, suites and the trial state machine.
//
//   FakeBackend backend;
//   backend.setup = [](FakeSandbox& s) {
//       s.on_exec = [](const std::vector<std::string>& argv, const ExecOptions&) {
//           return exec_result(0, "hello\n");
//       };
//   };
//   auto environment = backend.start({}, cancel);
//
// Thread-safe where the interface is; set the handlers before the sandbox is in use.
#pragma once

#include "assay/api/environment.h"
#include "fake_stream.h"

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <thread>

namespace assay::test {

inline ExecResult exec_result(int code, std::string out = {}, std::string err = {}) {
    ExecResult result;
    result.status.code = code;
    result.out_bytes = out.size();
    result.err_bytes = err.size();
    result.out = std::move(out);
    result.err = std::move(err);
    return result;
}

class FakeProcess final : public Process {
  public:
    explicit FakeProcess(const ExecResult& result)
        : status_(result.status)
        , in_(text_stream(""))
        , out_(text_stream(result.out))
        , err_(text_stream(result.err)) {}
    int id() const override { return 2; }
    Stream& in() override { return *in_; }
    Stream& out() override { return *out_; }
    Stream& err() override { return *err_; }
    void signal(int number) override { signals.push_back(number); }
    void resize(TerminalSize) override {}
    ExitStatus wait(const Cancel&) override { return status_; }

    std::vector<int> signals;

  private:
    ExitStatus status_;
    std::unique_ptr<Stream> in_, out_, err_;
};

// Shows what `on_send` returns below what is there already; the screen is the last `rows` lines.
class FakeTerminal final : public Terminal {
  public:
    using Handler = std::function<std::string(std::string_view bytes)>;
    explicit FakeTerminal(Handler on_send, std::string first = "$ ")
        : on_send_(std::move(on_send))
        , text_(std::move(first)) {}

    void send(std::string_view bytes, const Cancel& cancel) override {
        cancel.check();
        sent.emplace_back(bytes);
        if (on_send_) text_ += on_send_(bytes);
    }
    std::string screen() override {
        std::size_t at = text_.size();
        for (int rows = size_.rows; at > 0; --at)
            if (text_[at - 1] == '\n' && --rows == 0) break;
        return text_.substr(at);
    }
    std::string history() override { return text_; }
    bool alive() const override { return live; }
    void resize(TerminalSize size) override { size_ = size; }
    TerminalSize size() const override { return size_; }
    bool wait_quiet(Nanoseconds, Nanoseconds, const Cancel& cancel) override {
        return !cancel.cancelled();
    }
    std::string recording() override {
        return "{\"version\": 2, \"width\": 160, \"height\": 40}\n";
    }
    void clear() { text_.clear(); }

    std::vector<std::string> sent;
    bool live = true;

  private:
    Handler on_send_;
    std::string text_;
    TerminalSize size_;
};

class FakeSandbox final : public Sandbox {
  public:
    using ExecHandler =
        std::function<ExecResult(const std::vector<std::string>& argv, const ExecOptions&)>;
    using TerminalHandler = std::function<std::unique_ptr<Terminal>(const TerminalOptions&)>;
    struct File {
        std::string data;
        unsigned mode = 0644;
    };

    explicit FakeSandbox(SandboxSpec made_from = {})
        : spec(std::move(made_from)) {
        can.terminal = can.checkpoint = can.multi_user = can.private_network = true;
    }

    const std::string& name() const override { return spec.name; }
    SandboxCapabilities capabilities() const override { return can; }
    bool alive() const override { return live; }

    std::unique_ptr<Process> spawn(const std::vector<std::string>& argv,
                                   const SpawnOptions& options, const Cancel& cancel) override {
        ExecOptions exec_options;
        static_cast<SpawnOptions&>(exec_options) = options;
        return std::make_unique<FakeProcess>(exec(argv, exec_options, cancel));
    }
    ExecResult exec(const std::vector<std::string>& argv, const ExecOptions& options,
                    const Cancel& cancel) override {
        check(cancel);
        {
            std::lock_guard lock(mutex_);
            commands.push_back(argv);
        }
        return on_exec ? on_exec(argv, options) : exec_result(0);
    }
    std::unique_ptr<Stream> connect(std::uint16_t port, const Cancel& cancel) override {
        check(cancel);
        if (!on_connect) throw Error(ErrorKind::Io, "connect: connection refused");
        return on_connect(port);
    }
    std::unique_ptr<Exposed> expose(Service service, const Cancel& cancel) override {
        check(cancel);
        auto exposed = std::make_unique<FakeExposed>();
        exposed->at = "127.0.0.1:" + std::to_string(40000 + services.size());
        services.push_back(std::move(service));
        return exposed;
    }
    void put_file(const std::string& path, std::string_view data, unsigned mode,
                  const Cancel& cancel) override {
        check(cancel);
        std::lock_guard lock(mutex_);
        if (folders.count(path) != 0)
            throw Error(ErrorKind::Sandbox, "put " + path + ": it is a folder");
        files[path] = {std::string(data), mode};
    }
    void put_folder(const Path& host_folder, const std::string& path,
                    const Cancel& cancel) override {
        check(cancel);
        std::lock_guard lock(mutex_);
        for (const auto& entry : std::filesystem::recursive_directory_iterator(host_folder)) {
            if (!entry.is_regular_file()) continue;
            std::string relative = std::filesystem::relative(entry.path(), host_folder).string();
            files[path + "/" + relative] = {RealFileSystem().read(entry.path(), 1u << 28),
                                            static_cast<unsigned>(entry.status().permissions())};
        }
    }
    std::optional<std::string> get_file(const std::string& path, std::uint64_t limit,
                                        const Cancel& cancel) override {
        check(cancel);
        std::lock_guard lock(mutex_);
        if (folders.count(path) != 0) throw PathError("get " + path + ": it is a folder");
        auto found = files.find(path);
        if (found == files.end()) return std::nullopt;
        if (found->second.data.size() > limit)
            throw PathError("get " + path + ": larger than the limit");
        return found->second.data;
    }
    std::vector<std::string> get_folder(const std::string& path, const Path& host_folder,
                                        std::uint64_t limit, const Cancel& cancel) override {
        check(cancel);
        std::lock_guard lock(mutex_);
        std::vector<std::string> left_out;
        for (const auto& [name, file] : files) {
            bool below = name.rfind(path + "/", 0) == 0;
            if (!below && name != path) continue;
            std::string relative =
                below ? name.substr(path.size() + 1) : Path(name).filename().string();
            if (file.data.size() > limit) {
                left_out.push_back(relative);
                continue;
            }
            RealFileSystem real;
            real.make_folders((host_folder / relative).parent_path());
            real.write(host_folder / relative, file.data, 0644);
        }
        return left_out;
    }
    void remove(const std::string& path, const Cancel& cancel) override {
        check(cancel);
        std::lock_guard lock(mutex_);
        auto doomed = [&](const std::string& name) {
            return name == path || name.starts_with(path + "/");
        };
        std::erase_if(files, [&](const auto& file) { return doomed(file.first); });
        std::erase_if(folders, doomed);
    }
    void kill_all(const Cancel& cancel) override {
        check(cancel);
        ++kills;
    }
    void set_network(const NetworkPolicy& policy, const Cancel& cancel) override {
        check(cancel);
        spec.network = policy;
    }
    ResourceUsage usage() override { return used; }
    std::shared_ptr<Checkpoint> checkpoint(const Cancel& cancel) override;
    std::unique_ptr<Terminal> open_terminal(const std::vector<std::string>&,
                                            const TerminalOptions& options,
                                            const Cancel& cancel) override {
        check(cancel);
        if (on_terminal) return on_terminal(options);
        return std::make_unique<FakeTerminal>([](std::string_view) { return std::string(); });
    }

    LayerTar layer_tar(std::uint64_t limit, const Cancel& cancel) override {
        check(cancel);
        return on_layer ? on_layer(limit) : Sandbox::layer_tar(limit, cancel);
    }

    // The inside's end of a connection to service number `index`; the service runs on `thread`'s
    // caller, so give it a thread.
    std::unique_ptr<Stream> call_service(std::size_t index, std::jthread& thread,
                                         const Cancel& cancel) {
        auto [inside, outside] = stream_pair();
        thread =
            std::jthread([service = services.at(index), cancel,
                          end = std::move(outside)]() mutable { service(std::move(end), cancel); });
        return std::move(inside);
    }

    SandboxSpec spec;
    SandboxCapabilities can;
    ResourceUsage used;
    bool live = true;
    int kills = 0; // of all processes
    ExecHandler on_exec;
    TerminalHandler on_terminal;
    std::function<std::unique_ptr<Stream>(std::uint16_t)> on_connect;
    std::function<LayerTar(std::uint64_t)> on_layer;
    std::vector<std::vector<std::string>> commands; // what was run
    std::map<std::string, File> files;              // by absolute path inside
    std::set<std::string> folders;
    std::vector<Service> services; // what was exposed

  private:
    struct FakeExposed final : Exposed {
        std::string address() const override { return at; }
        std::string at;
    };
    void check(const Cancel& cancel) const {
        cancel.check();
        if (!live) throw SandboxLost("sandbox " + spec.name + " is gone");
    }
    std::mutex mutex_;
};

class FakeCheckpoint final : public Checkpoint {
  public:
    explicit FakeCheckpoint(std::map<std::string, FakeSandbox::File> saved)
        : files(std::move(saved)) {}
    Digest digest() const override {
        std::string all;
        for (const auto& [name, file] : files) all += name + '\0' + file.data + '\0';
        return sha256(all);
    }
    std::uint64_t bytes() const override {
        std::uint64_t sum = 0;
        for (const auto& [name, file] : files) sum += file.data.size();
        return sum;
    }
    int depth() const override { return 1; }
    std::map<std::string, FakeSandbox::File> files;
};

inline std::shared_ptr<Checkpoint> FakeSandbox::checkpoint(const Cancel& cancel) {
    check(cancel);
    std::lock_guard lock(mutex_);
    return std::make_shared<FakeCheckpoint>(files);
}

class FakeEnvironment final : public Environment {
  public:
    using Setup = std::function<void(FakeSandbox&)>;
    explicit FakeEnvironment(const EnvironmentSpec& spec = {}, Setup setup = {})
        : setup_(std::move(setup)) {
        for (const SandboxSpec& one : spec.sandboxes) FakeEnvironment::add(one, Cancel());
    }
    Sandbox& main() override { return sandboxes_.front(); }
    FakeSandbox& fake_main() { return sandboxes_.front(); }
    Sandbox* find(std::string_view name) override { return fake(name); }
    FakeSandbox* fake(std::string_view name) {
        for (FakeSandbox& sandbox : sandboxes_)
            if (sandbox.name() == name) return &sandbox;
        return nullptr;
    }
    std::vector<std::string> names() const override {
        std::vector<std::string> out;
        for (const FakeSandbox& sandbox : sandboxes_) out.push_back(sandbox.name());
        return out;
    }
    Sandbox& add(const SandboxSpec& spec, const Cancel& cancel) override {
        cancel.check();
        FakeSandbox& made = sandboxes_.emplace_back(spec);
        if (setup_) setup_(made);
        return made;
    }
    void remove(std::string_view name) override {
        sandboxes_.remove_if([&](const FakeSandbox& s) { return s.name() == name; });
    }
    std::vector<BaseRecord> bases() const override {
        return {{"host", "host", false, sha256("host")}};
    }
    ResourceUsage usage() override { return sandboxes_.front().usage(); }

  private:
    Setup setup_;
    std::list<FakeSandbox> sandboxes_;
};

class FakeBackend final : public SandboxBackend {
  public:
    std::string name() const override { return "fake"; }
    SandboxCapabilities capabilities() override { return FakeSandbox().can; }
    void check(const EnvironmentSpec& spec) override {
        if (on_check) on_check(spec);
    }
    BaseRecord prepare(const BaseSpec& base, const Cancel& cancel) override {
        cancel.check();
        if (on_prepare) on_prepare(base);
        return {base.name, base.name, false, sha256(base.name)};
    }
    std::unique_ptr<Environment> start(const EnvironmentSpec& spec, const Cancel& cancel) override {
        cancel.check();
        ++started;
        return std::make_unique<FakeEnvironment>(spec, setup);
    }
    std::unique_ptr<Environment> start_from(const EnvironmentSpec& spec,
                                            std::shared_ptr<Checkpoint> from,
                                            const Cancel& cancel) override {
        auto environment = start(spec, cancel);
        static_cast<FakeSandbox&>(environment->main()).files =
            dynamic_cast<FakeCheckpoint&>(*from).files;
        return environment;
    }

    std::unique_ptr<Quiet> quiet(std::string_view owner) override {
        struct Counted : Quiet {
            explicit Counted(int& count)
                : quiet(count) {
                ++quiet;
            }
            ~Counted() override { --quiet; }
            int frozen() const override { return 2; }
            int running() const override { return 1; }
            int& quiet;
        };
        quiet_for = owner;
        return std::make_unique<Counted>(quiet_now);
    }

    std::string quiet_for; // the owner that asked for it last
    int quiet_now = 0;
    std::function<void(FakeSandbox&)> setup; // called for each new sandbox
    std::function<void(const EnvironmentSpec&)> on_check;
    std::function<void(const BaseSpec&)> on_prepare;
    std::atomic<int> started{0};
};

} // namespace assay::test
