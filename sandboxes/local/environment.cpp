#include "local/environment.h"

#include "assay/base/log.h"
#include "assay/io/fd_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::local {
namespace {

constexpr std::uint32_t kNetwork = 10u << 24 | 213u << 16; // each environment's own 10.213.0.0/16

// -1 is "not known": a sum with it is what is known of the rest.
template<class T>
T plus(T a, T b) {
    return a < 0 ? b : b < 0 ? a : a + b;
}

void add_usage(ResourceUsage& sum, const ResourceUsage& one) {
    sum.cpu_seconds = plus(sum.cpu_seconds, one.cpu_seconds);
    sum.memory_peak_bytes = plus(sum.memory_peak_bytes, one.memory_peak_bytes);
    sum.oom_kills = plus(sum.oom_kills, one.oom_kills);
    sum.pids_peak = plus(sum.pids_peak, one.pids_peak);
    sum.pids_refused = plus(sum.pids_refused, one.pids_refused);
    sum.disk_bytes = plus(sum.disk_bytes, one.disk_bytes);
    sum.throttled_seconds = plus(sum.throttled_seconds, one.throttled_seconds);
}

} // namespace

LocalEnvironment::LocalEnvironment(std::shared_ptr<Shared> shared, MakeBase make_base,
                                   std::string owner)
    : shared_(std::move(shared))
    , make_base_(std::move(make_base))
    , owner_(std::move(owner)) {
    shared_->environments.add(*this);
}

LocalEnvironment::~LocalEnvironment() {
    shared_->environments.remove(*this);
}

std::pair<int, int> LocalEnvironment::freeze(bool on) {
    std::lock_guard lock(mutex_);
    int frozen = 0;
    for (Member& member : members_) frozen += member.sandbox->freeze(on) ? 1 : 0;
    return {static_cast<int>(members_.size()), frozen};
}

Sandbox& LocalEnvironment::main() {
    std::lock_guard lock(mutex_);
    if (members_.empty()) throw SandboxLost("the environment has no sandbox");
    return *members_.front().sandbox;
}

LocalSandbox* LocalEnvironment::find_locked(std::string_view name) {
    for (Member& member : members_)
        if (member.sandbox->name() == name) return member.sandbox.get();
    return nullptr;
}

Sandbox* LocalEnvironment::find(std::string_view name) {
    std::lock_guard lock(mutex_);
    return find_locked(name);
}

std::vector<std::string> LocalEnvironment::names() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const Member& member : members_) out.push_back(member.sandbox->name());
    return out;
}

Sandbox& LocalEnvironment::add(const SandboxSpec& spec, const Cancel& cancel) {
    return add_from(spec, nullptr, cancel);
}

Sandbox& LocalEnvironment::add_from(const SandboxSpec& spec,
                                    const std::shared_ptr<LocalCheckpoint>& from,
                                    const Cancel& cancel) {
    BaseImage base = make_base_(spec.base, cancel);
    std::lock_guard lock(mutex_);
    if (find_locked(spec.name) != nullptr)
        throw Error(ErrorKind::Input, "two sandboxes are named " + spec.name);
    std::vector<std::shared_ptr<SealedLayer>> layers;
    if (from) {
        if (from->base() != base.record.digest)
            throw Error(ErrorKind::Input,
                        "the checkpoint lies on another base than " + base.record.asked);
        layers = from->layers();
    }
    if (!members_.empty() && !user_ns_) user_ns_ = members_.front().sandbox->user_namespace();
    UniqueFd user_ns = user_ns_ ? duplicate(user_ns_.get()) : UniqueFd();
    BaseRecord record = base.record;
    Member member;
    member.sandbox = std::make_unique<LocalSandbox>(
        shared_, spec, std::move(base), std::move(layers), std::move(user_ns), UniqueFd());
    member.sandbox->start(cancel);
    members_.push_back(std::move(member));
    bases_.push_back(std::move(record));
    if (members_.size() > 1) connect_members(cancel);
    return *members_.back().sandbox;
}

void LocalEnvironment::remove(std::string_view name) {
    std::unique_ptr<LocalSandbox> gone;
    {
        std::lock_guard lock(mutex_);
        auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& member) {
            return member.sandbox->name() == name;
        });
        if (found == members_.end()) return;
        if (found == members_.begin())
            throw Error(ErrorKind::Internal, "the main sandbox ends with its environment");
        gone = std::move(found->sandbox);
        members_.erase(found);
    }
    gone->stop();
    std::lock_guard lock(mutex_);
    add_usage(removed_, gone->usage());
    tell_names(Cancel());
}

std::vector<BaseRecord> LocalEnvironment::bases() const {
    std::lock_guard lock(mutex_);
    return bases_;
}

ResourceUsage LocalEnvironment::usage() {
    std::lock_guard lock(mutex_);
    ResourceUsage sum = removed_;
    for (Member& member : members_) add_usage(sum, member.sandbox->usage());
    return sum;
}

// The bridge is in a network namespace of its own: no member can reconfigure it.
void LocalEnvironment::connect_members(const Cancel& cancel) {
    Janitor& janitor = shared_->janitor;
    if (!hub_) {
        Reply reply = Channel(janitor.prepare({}, user_ns_.get(), -1), "private network")
                          .errand(wire::Op::Bridge, {}, {}, cancel);
        if (reply.fds.size() != 1) throw SandboxLost("malformed answer about a network");
        hub_ = std::move(reply.fds[0]);
    }
    for (Member& member : members_) {
        if (!member.ip.empty()) continue;
        if (next_host_ > 65'000) throw Error(ErrorKind::Sandbox, "too many sandboxes");
        std::uint32_t number = next_host_++, address = kNetwork | number;
        UniqueFd net = member.sandbox->net_namespace();
        Channel(janitor.prepare({}, user_ns_.get(), hub_.get()), "private network")
            .errand(wire::Op::Link, wire::Writer().u32(number).u32(address).data(), {net.get()},
                    cancel);
        member.ip = fmt::format("10.213.{}.{}", number >> 8, number & 255);
    }
    tell_names(cancel);
}

void LocalEnvironment::tell_names(const Cancel& cancel) {
    std::vector<Address> addresses;
    for (const Member& member : members_)
        if (!member.ip.empty()) addresses.push_back({member.sandbox->name(), member.ip});
    for (Member& member : members_) {
        try {
            if (!addresses.empty()) member.sandbox->set_hosts(addresses, cancel);
        } catch (const Error& error) { // one that is lost does not keep the others from going on
            log_warn("hosts of sandbox {}: {}", member.sandbox->name(), error.what());
        }
    }
}

} // namespace assay::local
