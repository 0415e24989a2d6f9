#include "assay/base/cancel.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace assay {

std::string_view to_string(Cause cause) {
    switch (cause) {
    case Cause::User:
        return "user";
    case Cause::Deadline:
        return "deadline";
    case Cause::TurnLimit:
        return "turns";
    case Cause::TokenLimit:
        return "tokens";
    case Cause::CostLimit:
        return "cost";
    case Cause::TimeLimit:
        return "time";
    case Cause::RunCostLimit:
        return "run-cost";
    case Cause::SandboxLost:
        return "sandbox-lost";
    case Cause::Aborted:
        return "aborted";
    }
    return "aborted";
}

bool is_limit(Cause cause) {
    switch (cause) {
    case Cause::Deadline:
    case Cause::TurnLimit:
    case Cause::TokenLimit:
    case Cause::CostLimit:
    case Cause::TimeLimit:
        return true;
    default:
        return false;
    }
}

Interrupted::Interrupted(CancelReason reason)
    : reason_(std::move(reason)) {
    text_ = "interrupted (" + std::string(to_string(reason_.cause)) + ")";
    if (!reason_.detail.empty()) text_ += ": " + reason_.detail;
}

struct Cancel::Watch::Node {
    std::function<void()> callback;
    std::mutex mutex; // held while the callback runs
    bool dead = false;
    std::weak_ptr<Cancel::State> owner;
};

struct Cancel::State {
    std::mutex mutex;
    std::shared_ptr<State> parent;
    std::vector<std::weak_ptr<State>> children;
    std::vector<std::shared_ptr<Watch::Node>> watches;
    std::optional<CancelReason> reason;
    std::optional<MonoTime> deadline;   // own deadline
    std::optional<MonoTime> stopped_at; // the clock of the own deadline stands still since
    CancelReason at_deadline;

    std::optional<CancelReason> current() {
        std::lock_guard lock(mutex);
        if (reason) return reason;
        if (deadline && !stopped_at && std::chrono::steady_clock::now() >= *deadline) {
            reason = at_deadline;
            return reason;
        }
        return std::nullopt;
    }

    // While the clock stands still: the earliest moment at which it could fire.
    std::optional<MonoTime> own_deadline() {
        std::lock_guard lock(mutex);
        if (!deadline || !stopped_at) return deadline;
        return *deadline + (std::chrono::steady_clock::now() - *stopped_at);
    }

    void fire(const CancelReason& why) {
        std::vector<std::shared_ptr<Watch::Node>> run;
        std::vector<std::shared_ptr<State>> down;
        {
            std::lock_guard lock(mutex);
            if (!reason) reason = why;
            run.swap(watches);
            for (auto& weak : children)
                if (auto child = weak.lock()) down.push_back(std::move(child));
            children.clear();
        }
        for (auto& node : run) {
            std::lock_guard lock(node->mutex);
            if (!node->dead) node->callback();
            node->dead = true;
        }
        for (auto& child : down) child->fire(why);
    }
};

Cancel::Cancel()
    : state_(std::make_shared<State>()) {}
Cancel::Cancel(std::shared_ptr<State> state)
    : state_(std::move(state)) {}

Cancel Cancel::child() const {
    auto state = std::make_shared<State>();
    state->parent = state_;
    std::lock_guard lock(state_->mutex);
    if (state_->reason) {
        state->reason = state_->reason;
    } else {
        auto& list = state_->children;
        if (list.size() > 64)
            std::erase_if(list, [](const std::weak_ptr<State>& weak) { return weak.expired(); });
        list.push_back(state);
    }
    return Cancel(std::move(state));
}

Cancel Cancel::child(Cause at_deadline, Nanoseconds limit, std::string detail) const {
    Cancel made = child();
    std::lock_guard lock(made.state_->mutex);
    auto now = std::chrono::steady_clock::now();
    // A limit so large that it would overflow the clock is no limit.
    if (limit < Nanoseconds::max() / 4) made.state_->deadline = now + limit;
    made.state_->at_deadline = {at_deadline, std::move(detail)};
    return made;
}

void Cancel::cancel(Cause cause, std::string detail) const {
    state_->fire({cause, std::move(detail)});
}

std::optional<CancelReason> Cancel::reason() const {
    for (State* at = state_.get(); at != nullptr; at = at->parent.get()) {
        if (auto found = at->current()) {
            if (at != state_.get()) { // remember it, so that the first cause stays the first
                std::lock_guard lock(state_->mutex);
                if (!state_->reason) state_->reason = found;
                return state_->reason;
            }
            return found;
        }
    }
    return std::nullopt;
}

bool Cancel::cancelled() const {
    return reason().has_value();
}

void Cancel::check() const {
    if (auto why = reason()) throw Interrupted(*why);
}

std::optional<MonoTime> Cancel::deadline() const {
    std::optional<MonoTime> earliest;
    for (State* at = state_.get(); at != nullptr; at = at->parent.get())
        if (auto own = at->own_deadline(); own && (!earliest || *own < *earliest)) earliest = own;
    return earliest;
}

void Cancel::stop_clock() const {
    if (state_->current()) return; // passed: it stays so
    std::lock_guard lock(state_->mutex);
    if (!state_->stopped_at) state_->stopped_at = std::chrono::steady_clock::now();
}

void Cancel::start_clock() const {
    std::lock_guard lock(state_->mutex);
    if (!state_->stopped_at) return;
    if (state_->deadline)
        *state_->deadline += std::chrono::steady_clock::now() - *state_->stopped_at;
    state_->stopped_at.reset();
}

int Cancel::poll_timeout(int cap) const {
    auto until = deadline();
    if (!until) return cap;
    auto left = *until - std::chrono::steady_clock::now();
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    ms = std::clamp<std::int64_t>(ms, 0, 86'400'000);
    if (cap >= 0) ms = std::min<std::int64_t>(ms, cap);
    return static_cast<int>(ms);
}

bool Cancel::sleep_for(Nanoseconds duration) const {
    std::mutex mutex;
    std::condition_variable wake;
    bool woken = false;
    auto watch = on_cancel([&] {
        std::lock_guard lock(mutex);
        woken = true;
        wake.notify_all();
    });
    auto end = std::chrono::steady_clock::now() + duration;
    while (!cancelled()) {
        auto until = end;
        if (auto limit = deadline(); limit && *limit < until) until = *limit;
        std::unique_lock lock(mutex);
        wake.wait_until(lock, until, [&] { return woken; });
        // A limit whose clock was stopped meanwhile has not passed: on with the rest.
        if (until == end) break;
    }
    return !cancelled();
}

Cancel::Watch::Watch(std::shared_ptr<Node> node)
    : node_(std::move(node)) {}
Cancel::Watch::Watch(Watch&&) noexcept = default;

Cancel::Watch& Cancel::Watch::operator=(Watch&& other) noexcept {
    if (this != &other) {
        Watch old(std::move(node_));
        node_ = std::move(other.node_);
    }
    return *this;
}

Cancel::Watch::~Watch() {
    if (!node_) return;
    {
        std::lock_guard lock(node_->mutex);
        node_->dead = true;
    }
    if (auto owner = node_->owner.lock()) {
        std::lock_guard lock(owner->mutex);
        std::erase(owner->watches, node_);
    }
}

Cancel::Watch Cancel::on_cancel(std::function<void()> callback) const {
    auto node = std::make_shared<Watch::Node>();
    node->callback = std::move(callback);
    node->owner = state_;
    // Covers a deadline of a parent that has passed but was not looked at yet.
    bool already = cancelled();
    if (!already) {
        std::lock_guard lock(state_->mutex);
        if (state_->reason)
            already = true;
        else
            state_->watches.push_back(node);
    }
    if (already) {
        node->callback();
        node->dead = true;
    }
    return Watch(std::move(node));
}

} // namespace assay
