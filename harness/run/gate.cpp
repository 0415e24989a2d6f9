#include "assay/run/gate.h"

#include <utility>

namespace assay {

PhaseGate::Share::Share(Share&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr))
    , mode_(std::exchange(other.mode_, Mode::None)) {}

PhaseGate::Share& PhaseGate::Share::operator=(Share&& other) noexcept {
    if (this != &other) {
        leave();
        gate_ = std::exchange(other.gate_, nullptr);
        mode_ = std::exchange(other.mode_, Mode::None);
    }
    return *this;
}

PhaseGate::Share::~Share() {
    leave();
}

void PhaseGate::Share::leave() {
    if (mode_ != Mode::None) gate_->release(mode_ == Mode::Exclusive);
    mode_ = Mode::None;
}

void PhaseGate::Share::make_exclusive(const Cancel& cancel) {
    if (gate_ == nullptr || mode_ == Mode::Exclusive) return;
    leave();
    gate_->acquire(true, cancel);
    mode_ = Mode::Exclusive;
}

void PhaseGate::Share::make_shared() {
    if (mode_ != Mode::Exclusive) return;
    std::lock_guard lock(gate_->mutex_);
    gate_->exclusive_ = false;
    ++gate_->shared_;
    mode_ = Mode::Shared;
    gate_->grant();
}

PhaseGate::Share PhaseGate::enter(const Cancel& cancel) {
    acquire(false, cancel);
    return Share(this, Share::Mode::Shared);
}

bool PhaseGate::may_go(bool exclusive) const {
    return !exclusive_ && (!exclusive || shared_ == 0);
}

void PhaseGate::acquire(bool exclusive, const Cancel& cancel) {
    cancel.check();
    Waiter self{.exclusive = exclusive};
    // Before the lock: a watch must be destroyed without it, since its callback takes it.
    Cancel::Watch watch;
    std::unique_lock lock(mutex_);
    waiters_.push_back(&self);
    grant();
    if (!self.granted) {
        lock.unlock();
        watch = cancel.on_cancel([this, &self] {
            std::lock_guard inner(mutex_);
            self.wake.notify_all();
        });
        lock.lock();
    }
    while (!self.granted && !cancel.cancelled()) {
        if (auto until = cancel.deadline())
            self.wake.wait_until(lock, *until);
        else
            self.wake.wait(lock);
    }
    if (self.granted) return;
    waiters_.remove(&self);
    grant(); // it may have stood in the way of others
    lock.unlock();
    cancel.check();
}

void PhaseGate::release(bool exclusive) {
    std::lock_guard lock(mutex_);
    if (exclusive)
        exclusive_ = false;
    else
        --shared_;
    grant();
}

void PhaseGate::grant() {
    while (!waiters_.empty() && may_go(waiters_.front()->exclusive)) {
        Waiter* next = waiters_.front();
        waiters_.pop_front();
        if (next->exclusive)
            exclusive_ = true;
        else
            ++shared_;
        next->granted = true;
        next->wake.notify_all();
    }
}

} // namespace assay
