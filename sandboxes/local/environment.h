// Named sandboxes that share a user namespace and, from the second on, a private network.
#pragma once

#include "local/sandbox.h"

#include <functional>

namespace assay::local {

class LocalEnvironment final : public Environment {
  public:
    using MakeBase = std::function<BaseImage(const BaseSpec&, const Cancel&)>;
    LocalEnvironment(std::shared_ptr<Shared> shared, MakeBase make_base, std::string owner);
    ~LocalEnvironment() override;

    Sandbox& main() override;
    Sandbox* find(std::string_view name) override;
    std::vector<std::string> names() const override;
    Sandbox& add(const SandboxSpec& spec, const Cancel& cancel) override;
    void remove(std::string_view name) override;
    std::vector<BaseRecord> bases() const override;
    ResourceUsage usage() override;

    const std::string& owner() const { return owner_; }
    // Freezes its sandboxes or lets them go on; how many it has, and how many are frozen.
    std::pair<int, int> freeze(bool on);

    Sandbox& add_from(const SandboxSpec& spec, const std::shared_ptr<LocalCheckpoint>& from,
                      const Cancel& cancel);

  private:
    struct Member {
        std::unique_ptr<LocalSandbox> sandbox;
        std::string ip; // empty: not on the network yet
    };
    LocalSandbox* find_locked(std::string_view name);
    void connect_members(const Cancel& cancel);
    void tell_names(const Cancel& cancel);

    std::shared_ptr<Shared> shared_;
    MakeBase make_base_;
    std::string owner_;
    mutable std::mutex mutex_;
    std::vector<Member> members_;
    std::vector<BaseRecord> bases_;
    ResourceUsage removed_;
    UniqueFd user_ns_; // of main, once there is a second
    UniqueFd hub_;     // network namespace with the bridge
    std::uint32_t next_host_ = 1;
};

} // namespace assay::local
