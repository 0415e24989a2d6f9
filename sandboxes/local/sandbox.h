// One running sandbox of the local backend.
#pragma once

#include "assay/api/environment.h"
#include "assay/sandboxes/local.h"
#include "local/janitor.h"
#include "local/layers.h"
#include "local/process.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace assay::local {

// A sandbox with pid 1 and no files yet, which may still be on its way.
struct Prepared {
    Path folder;
    std::unique_ptr<SandboxCgroup> cgroup;
    std::shared_ptr<Channel> channel; // closed first: pid 1 ends, and the cgroup becomes empty
};

class LocalEnvironment;

// The environments that live, for who must quieten them. Thread-safe.
class Environments {
  public:
    void add(LocalEnvironment& one);
    void remove(LocalEnvironment& one);
    // On each of another owner; it lives until `use` returns.
    void each_of_others(std::string_view owner, const std::function<void(LocalEnvironment&)>& use);

  private:
    std::mutex mutex_;
    std::set<LocalEnvironment*> all_;
};

// What sandboxes share: the run. Thread-safe.
class Shared {
  public:
    explicit Shared(const LocalOptions& options);

    Janitor janitor;
    Environments environments;
    const std::set<std::string> without_guards;
    SandboxCapabilities capabilities() const;
    // A fresh one in these namespaces; with none given (negative) usually ready before it is asked
    // for.
    Prepared prepare(int user_ns, int net_ns);
    void prepare_ahead();
    std::string next_name(std::string_view prefix); // unique in the run
    // Also what belongs to users that only exist inside.
    void remove(const Path& tree);

  private:
    Prepared make(int user_ns, int net_ns);
    std::string launch_message(const Path& folder) const;
    std::mutex mutex_;
    std::unique_ptr<Prepared> spare_;
    std::atomic<unsigned> counter_{0};
};

struct Address { // on the environment's network
    std::string name, ip;
};

std::string hosts_text(const std::string& own, const std::vector<Address>& addresses);

class Pasta; // the way out of a public sandbox

class LocalSandbox final : public Sandbox {
  public:
    // The base's files below `layers` (top first).
    LocalSandbox(std::shared_ptr<Shared> shared, SandboxSpec spec, BaseImage image,
                 std::vector<std::shared_ptr<SealedLayer>> layers, UniqueFd user_ns,
                 UniqueFd net_ns);
    ~LocalSandbox() override;
    void start(const Cancel& cancel); // once

    const std::string& name() const override { return spec_.name; }
    SandboxCapabilities capabilities() const override;
    bool alive() const override;
    std::unique_ptr<Process> spawn(const std::vector<std::string>& argv,
                                   const SpawnOptions& options, const Cancel& cancel) override;
    std::unique_ptr<Stream> connect(std::uint16_t port, const Cancel& cancel) override;
    std::unique_ptr<Exposed> expose(Service service, const Cancel& cancel) override;
    void put_file(const std::string& path, std::string_view data, unsigned mode,
                  const Cancel& cancel) override;
    void put_folder(const Path& host_folder, const std::string& path,
                    const Cancel& cancel) override;
    std::optional<std::string> get_file(const std::string& path, std::uint64_t limit,
                                        const Cancel& cancel) override;
    std::vector<std::string> get_folder(const std::string& path, const Path& host_folder,
                                        std::uint64_t limit, const Cancel& cancel) override;
    void remove(const std::string& path, const Cancel& cancel) override;
    void kill_all(const Cancel& cancel) override;
    void set_network(const NetworkPolicy& policy, const Cancel& cancel) override;
    ResourceUsage usage() override;
    std::shared_ptr<Checkpoint> checkpoint(const Cancel& cancel) override;
    std::unique_ptr<Terminal> open_terminal(const std::vector<std::string>& argv,
                                            const TerminalOptions& options,
                                            const Cancel& cancel) override;
    LayerTar layer_tar(std::uint64_t limit, const Cancel& cancel) override;

    // For the environment.
    UniqueFd user_namespace() const;
    UniqueFd net_namespace() const;
    int init_pid() const { return init_pid_; }
    void set_hosts(const std::vector<Address>& addresses, const Cancel& cancel);
    const BaseImage& image() const { return image_; }
    // For LayerRunner: ends the sandbox. The base with all its changes, whose layers now belong to
    // `folder`.
    BaseImage seal_into(const Path& folder, const Cancel& cancel);
    bool freeze(bool on); // true: it is frozen now
    void stop();          // idempotent

  private:
    void await_hello(Channel& channel, const Cancel& cancel);
    struct NewRoot {
        std::unique_ptr<Channel> helper;
        std::string message;
        UniqueFd mounts, name; // namespaces
    };
    // With a fresh writable layer on `layers_`. `sealed`: what the one in use becomes.
    NewRoot prepare_root(const SealedLayer* sealed); // may fail: nothing has changed
    // PathError: the inside has put something where a mount belongs, and nothing has changed.
    void set_root(const NewRoot& root, const Cancel& cancel);
    void make_writable(const Path& writable) const;
    std::string root_message(const Path& writable, const SealedLayer* sealed) const;
    void write_identity(const Path& upper) const;
    std::vector<std::string> lowers(std::size_t mount) const;
    UniqueFd open_namespace(const char* kind) const;
    Path writable() const; // the folder of the layer: u0, u1...
    void await_death();
    [[noreturn]] void start_failed(const std::string& stage, int error) const;
    std::vector<std::string> environment_for(const SpawnOptions& options) const;
    SpawnSpec spawn_spec(const std::vector<std::string>& argv, const SpawnOptions& options) const;
    std::shared_ptr<Channel> channel() const;
    std::uint32_t running_processes(const Cancel& cancel);
    std::shared_ptr<SealedLayer> new_layer() const;
    bool seal_by_rename(const Cancel& cancel); // false: something runs in it
    std::shared_ptr<SealedLayer> seal_by_copy(const Cancel& cancel);
    void flatten_layers(const Cancel& cancel);
    static void move_layer(SealedLayer& layer, const Path& folder, const Cancel& cancel);

    std::shared_ptr<Shared> shared_;
    SandboxSpec spec_;
    BaseImage image_;
    std::vector<std::shared_ptr<SealedLayer>> layers_;
    UniqueFd user_ns_, net_ns_; // to join
    Path folder_;
    int generation_ = 0; // of the writable layer
    std::unique_ptr<SandboxCgroup> cgroup_;
    mutable std::mutex mutex_; // channel_, network_, hosts_
    std::shared_ptr<Channel> channel_;
    UniqueFd init_; // pidfd
    int init_pid_ = -1;
    std::vector<Address> hosts_;
    NetworkPolicy network_;
    std::unique_ptr<Pasta> pasta_;
    std::mutex checkpoint_mutex_; // one at a time; before mutex_
    bool frozen_ = false;         // by freeze()
    ResourceUsage last_;          // once stopped
    bool stopped_ = false;
};

} // namespace assay::local
