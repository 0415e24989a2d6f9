#include "assay/models/connection_limit.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace assay {

namespace {

int within(const ConnectionSettings& settings, int limit) {
    return settings.adaptive ? std::clamp(limit, settings.floor, settings.ceiling)
                             : std::max(limit, 1);
}

} // namespace

ConnectionLimit::ConnectionLimit(const ConnectionSettings& settings, const Clock& clock,
                                 OnChange on_change)
    : settings_(settings)
    , clock_(clock)
    , on_change_(std::move(on_change))
    , limit_(within(settings, settings.start)) {}

ConnectionLimit::Slot::Slot(Slot&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr))
    , epoch_(other.epoch_) {}

ConnectionLimit::Slot& ConnectionLimit::Slot::operator=(Slot&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(epoch_, other.epoch_);
    return *this;
}

ConnectionLimit::Slot::~Slot() {
    if (owner_ != nullptr) owner_->release();
}

void ConnectionLimit::Slot::succeeded() {
    if (owner_ != nullptr) owner_->success(epoch_);
}
void ConnectionLimit::Slot::overloaded(bool told_when) {
    if (owner_ != nullptr) owner_->overload(epoch_, told_when ? "retry_after" : "overload");
}

ConnectionLimit::Slot ConnectionLimit::acquire(const Cancel& cancel) {
    cancel.check();
    Waiter self;
    auto watch = cancel.on_cancel([&] {
        std::lock_guard lock(mutex_);
        self.wake.notify_all();
    });
    std::unique_lock lock(mutex_);
    waiters_.push_back(&self);
    grant();
    if (!self.granted) saturated_ = true;
    while (!self.granted) {
        lock.unlock(); // the cancel has locks of its own
        bool stopped = cancel.cancelled();
        auto until = cancel.deadline();
        lock.lock();
        if (self.granted) break;
        if (stopped) {
            waiters_.remove(&self);
            lock.unlock();
            cancel.check();
        }
        // A cancel between the check and here has notified nobody: wake again soon.
        auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(250);
        self.wake.wait_until(lock, until ? std::min(*until, soon) : soon);
    }
    return Slot(this, epoch_);
}

void ConnectionLimit::grant() {
    while (!waiters_.empty() && in_flight_ < limit_) {
        ++in_flight_;
        waiters_.front()->granted = true;
        waiters_.front()->wake.notify_all();
        waiters_.pop_front();
    }
}

void ConnectionLimit::release() {
    std::lock_guard lock(mutex_);
    --in_flight_;
    grant();
}

void ConnectionLimit::change(int limit, std::string_view cause) {
    int before = std::exchange(limit_, within(settings_, limit));
    clean_ = 0;
    saturated_ = !waiters_.empty();
    grant();
    if (limit_ != before && on_change_)
        on_change_({clock_.wall_microseconds(), before, limit_, cause});
}

void ConnectionLimit::success(std::uint64_t epoch) {
    std::lock_guard lock(mutex_);
    // A call from before the cut says nothing about the limit after it.
    if (!settings_.adaptive || epoch != epoch_ || clock_.now() < quiet_until_) return;
    if (in_flight_ >= limit_) saturated_ = true;
    if (++clean_ < limit_) return;
    if (!saturated_) {
        clean_ = 0;
        return;
    }
    int more = slow_start_ ? limit_ * 2
                           : std::max(limit_ + 1, static_cast<int>(std::lround(limit_ * 1.05)));
    change(more, "success");
}

void ConnectionLimit::overload(std::uint64_t epoch, std::string_view cause) {
    std::lock_guard lock(mutex_);
    if (!settings_.adaptive) return;
    clean_ = 0;
    // The calls that were in flight together report one and the same overload.
    if (epoch != epoch_ || clock_.now() < quiet_until_) return;
    slow_start_ = false;
    ++epoch_;
    quiet_until_ = clock_.now() + settings_.cool_down;
    change(static_cast<int>(std::floor(limit_ * 0.8)), cause);
}

int ConnectionLimit::limit() const {
    std::lock_guard lock(mutex_);
    return limit_;
}
int ConnectionLimit::in_flight() const {
    std::lock_guard lock(mutex_);
    return in_flight_;
}
int ConnectionLimit::waiting() const {
    std::lock_guard lock(mutex_);
    return static_cast<int>(waiters_.size());
}

std::shared_ptr<ConnectionLimit> ConnectionPool::at(const std::string& key) {
    std::lock_guard lock(mutex_);
    auto& slot = limits_[key];
    if (slot) return slot;
    ConnectionLimit::OnChange tell;
    if (on_change_)
        tell = [tell_all = on_change_, key](const ConnectionLimit::Change& change) {
            tell_all(key, change);
        };
    return slot = std::make_shared<ConnectionLimit>(settings_, clock_, std::move(tell));
}

std::map<std::string, std::shared_ptr<ConnectionLimit>> ConnectionPool::all() const {
    std::lock_guard lock(mutex_);
    return limits_;
}

} // namespace assay
