#include "assay/run/admission.h"

#include <algorithm>
#include <utility>

namespace assay {

Admission::Ticket::Ticket(Ticket&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr))
    , claim_(std::move(other.claim_)) {}

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
    if (this != &other) {
        if (owner_ != nullptr) owner_->give_back(claim_);
        owner_ = std::exchange(other.owner_, nullptr);
        claim_ = std::move(other.claim_);
    }
    return *this;
}

Admission::Ticket::~Ticket() {
    if (owner_ != nullptr) owner_->give_back(claim_);
}

bool Admission::fits(const ResourceClaim& claim) const {
    constexpr double kRounding = 1e-9; // claims are decimal fractions
    if (cpus_ + claim.cpus > capacity_.cpus + kRounding) return false;
    if (sandboxes_ + claim.sandboxes > capacity_.sandboxes) return false;
    if (capacity_.memory_bytes != 0 && memory_ + claim.memory_bytes > capacity_.memory_bytes)
        return false;
    return std::none_of(claim.devices.begin(), claim.devices.end(),
                        [&](const std::string& device) { return devices_.contains(device); });
}

void Admission::add(const ResourceClaim& claim, int sign) {
    cpus_ += sign * claim.cpus;
    sandboxes_ += sign * claim.sandboxes;
    memory_ = sign > 0 ? memory_ + claim.memory_bytes : memory_ - claim.memory_bytes;
    for (const std::string& device : claim.devices) {
        if (sign > 0)
            devices_.insert(device);
        else
            devices_.erase(device);
    }
}

void Admission::grant() {
    for (auto at = waiters_.begin(); at != waiters_.end();) {
        Waiter& waiter = **at;
        if (!fits(*waiter.claim)) {
            if (waiter.overtaken >= kMaxOvertakes) return; // nobody passes any more
            ++at;
            continue;
        }
        for (auto before = waiters_.begin(); before != at; ++before) ++(*before)->overtaken;
        add(*waiter.claim, 1);
        waiter.granted = true;
        waiter.wake.notify_all();
        at = waiters_.erase(at);
    }
}

Admission::Ticket Admission::take(ResourceClaim claim, const Cancel& cancel) {
    cancel.check();
    claim.cpus = std::clamp(claim.cpus, 0.0, capacity_.cpus);
    claim.sandboxes = std::clamp(claim.sandboxes, 0, capacity_.sandboxes);
    if (capacity_.memory_bytes != 0)
        claim.memory_bytes = std::min(claim.memory_bytes, capacity_.memory_bytes);

    Waiter self{.claim = &claim};
    Cancel::Watch watch = cancel.on_cancel([this, &self] {
        std::lock_guard lock(mutex_);
        self.wake.notify_all();
    });
    std::unique_lock lock(mutex_);
    waiters_.push_back(&self);
    grant();
    while (!self.granted && !cancel.cancelled()) {
        if (auto until = cancel.deadline())
            self.wake.wait_until(lock, *until);
        else
            self.wake.wait(lock);
    }
    if (self.granted) return Ticket(this, std::move(claim));
    waiters_.remove(&self);
    grant();
    lock.unlock();
    cancel.check();
    return {};
}

void Admission::give_back(const ResourceClaim& claim) {
    std::lock_guard lock(mutex_);
    add(claim, -1);
    grant();
}

} // namespace assay
