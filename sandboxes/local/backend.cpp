#include "assay/base/random.h"
#include "assay/base/text.h"
#include "assay/sandboxes/local.h"
#include "local/environment.h"
#include "local/pasta.h"

#include <algorithm>
#include <set>

namespace assay {
namespace {

using local::LocalCheckpoint;
using local::LocalEnvironment;
using local::LocalSandbox;
using local::Shared;

bool good_name(const std::string& name) {
    return !name.empty() && name.size() <= 63 && name != "localhost" && name[0] != '-' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
           });
}

class LocalQuiet final : public Quiet {
  public:
    LocalQuiet(std::shared_ptr<Shared> shared, std::string_view owner)
        : shared_(std::move(shared))
        , owner_(owner) {
        shared_->environments.each_of_others(owner_, [this](LocalEnvironment& one) {
            auto [all, frozen] = one.freeze(true);
            frozen_ += frozen;
            running_ += all - frozen;
        });
    }
    ~LocalQuiet() override {
        shared_->environments.each_of_others(owner_,
                                             [](LocalEnvironment& one) { one.freeze(false); });
    }
    int frozen() const override { return frozen_; }
    int running() const override { return running_; }

  private:
    std::shared_ptr<Shared> shared_;
    std::string owner_;
    int frozen_ = 0, running_ = 0;
};

class Backend final : public LocalBackend {
  public:
    explicit Backend(LocalOptions options)
        : options_(std::move(options)) {
        if (!options_.bases)
            throw Error(ErrorKind::Internal, "the local sandbox backend needs a base maker");
        if (options_.scratch.empty())
            options_.scratch = std::filesystem::temp_directory_path() / "assay-sandboxes";
        if (options_.state.empty()) options_.state = options_.scratch / "state";
        SystemRandom random;
        if (options_.run_id.empty()) options_.run_id = Id::random(random).hex().substr(0, 16);
        if (!good_name(options_.run_id))
            throw Error(ErrorKind::Usage, "not a run id: " + options_.run_id);
        shared_ = std::make_shared<Shared>(options_);
    }

    std::string name() const override { return "local"; }
    const std::string& run_id() const override { return options_.run_id; }
    int janitor_pid() override { return shared_->janitor.pid(); }
    SandboxCapabilities capabilities() override { return shared_->capabilities(); }

    void check(const EnvironmentSpec& spec) override {
        std::set<std::string> names;
        if (spec.sandboxes.empty())
            throw Error(ErrorKind::Input, "an environment needs at least one sandbox");
        for (const SandboxSpec& sandbox : spec.sandboxes) {
            if (!names.insert(sandbox.name).second)
                throw Error(ErrorKind::Input, "two sandboxes are named " + sandbox.name);
            check_one(sandbox);
        }
    }

    BaseRecord prepare(const BaseSpec& base, const Cancel& cancel) override {
        return options_.bases->make(base, *this, cancel).record;
    }

    std::unique_ptr<Environment> start(const EnvironmentSpec& spec, const Cancel& cancel) override {
        return start_with(spec, {}, cancel);
    }

    std::unique_ptr<Environment> start_from(const EnvironmentSpec& spec,
                                            std::shared_ptr<Checkpoint> from,
                                            const Cancel& cancel) override {
        auto checkpoint = std::dynamic_pointer_cast<LocalCheckpoint>(from);
        if (!checkpoint)
            throw Error(ErrorKind::Unsupported, "the checkpoint is of another sandbox backend");
        return start_with(spec, checkpoint, cancel);
    }

    std::unique_ptr<Quiet> quiet(std::string_view owner) override {
        return std::make_unique<LocalQuiet>(shared_, owner);
    }

    std::unique_ptr<Sandbox> start_on(const BaseImage& base, const SandboxSpec& spec,
                                      const Cancel& cancel) override {
        check_one(spec);
        auto sandbox = std::make_unique<LocalSandbox>(
            shared_, spec, base, std::vector<std::shared_ptr<local::SealedLayer>>(), UniqueFd(),
            UniqueFd());
        sandbox->start(cancel);
        return sandbox;
    }

    BaseImage seal(Sandbox& sandbox, const BaseImage&, const Cancel& cancel) override {
        auto* ours = dynamic_cast<LocalSandbox*>(&sandbox);
        if (ours == nullptr) throw Error(ErrorKind::Internal, "the sandbox is of another backend");
        return ours->seal_into(options_.state / "layers", cancel);
    }

  private:
    void check_one(const SandboxSpec& spec) {
        SandboxCapabilities can = shared_->capabilities();
        if (!good_name(spec.name))
            throw Error(ErrorKind::Input, "not a host name for a sandbox: '" + spec.name + "'");
        if (std::find(can.network.begin(), can.network.end(), spec.network.mode) ==
            can.network.end())
            throw Error(ErrorKind::Unsupported, spec.network.mode == NetworkMode::Public
                                                    ? local::why_no_public_network()
                                                    : "the local sandbox has no allow-list network")
                .hint("the task can run with network none, or on another machine");
        if (!can.multi_user && !spec.user.empty() && spec.user != "root" && spec.user != "0")
            throw Error(ErrorKind::Unsupported,
                        "user " + spec.user + ": only one user can be had here")
                .hint("run as root, or give this user a range in /etc/subuid and /etc/subgid");
        for (const auto& [host, inside] : spec.folders_ro)
            if (inside.size() < 2 || inside[0] != '/' || inside.find("/../") != std::string::npos)
                throw Error(ErrorKind::Input, "not a place for a folder: " + inside);
    }

    std::unique_ptr<Environment> start_with(const EnvironmentSpec& spec,
                                            const std::shared_ptr<LocalCheckpoint>& from,
                                            const Cancel& cancel) {
        check(spec);
        auto environment = std::make_unique<LocalEnvironment>(
            shared_,
            [this](const BaseSpec& base, const Cancel& c) {
                return options_.bases->make(base, *this, c);
            },
            spec.owner);
        for (std::size_t i = 0; i < spec.sandboxes.size(); i++)
            environment->add_from(spec.sandboxes[i], i == 0 ? from : nullptr, cancel);
        return environment;
    }

    LocalOptions options_;
    std::shared_ptr<Shared> shared_;
};

} // namespace

std::unique_ptr<LocalBackend> make_local_backend(LocalOptions options) {
    return std::make_unique<Backend>(std::move(options));
}

} // namespace assay
