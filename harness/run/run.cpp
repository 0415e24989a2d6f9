#include "assay/run/run.h"

#include "assay/base/log.h"
#include "assay/run/gate.h"
#include "thread.h"
#include "trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>

namespace assay {

namespace {

constexpr Nanoseconds kLongestRetryWait = std::chrono::minutes(1);

ResourceClaim claim_of(const TaskRef& task) {
    if (task) return task->claim;
    ResourceClaim nothing; // a broken task: its trial ends at once
    nothing.cpus = 0;
    nothing.sandboxes = 0;
    return nothing;
}

// What an observer prints is as free of secrets as what is stored.
TryEnd cleaned(TryEnd end, const Redactor& redactor) {
    end.agent_detail = redactor.clean(std::move(end.agent_detail));
    if (end.error)
        for (std::string* text : {&end.error->kind, &end.error->message, &end.error->trace})
            *text = redactor.clean(std::move(*text));
    return end;
}

} // namespace

struct Run::State {
    RunParts parts;
    RunSettings settings;
    Cancel cancel;
    std::atomic<bool> draining = false;
    PhaseGate gate;
    Admission admission;
    CostMeter meter;
    std::map<Id, const Arm*> arms;
    std::map<std::string, std::size_t, std::less<>> task_index;

    std::mutex mutex; // guards what follows
    const std::vector<SlotRecord>* slots = nullptr;
    std::size_t next = 0;
    RunResult sums;
    std::exception_ptr fatal;

    State(RunParts p, RunSettings s)
        : parts(std::move(p))
        , settings(s)
        , admission(s.capacity)
        , meter(s.max_cost, s.cost_so_far, cancel) {
        for (const Arm& arm : parts.arms) arms[arm.record.id] = &arm;
        const auto& headers = parts.tasks->headers();
        for (std::size_t i = 0; i < headers.size(); ++i) task_index[headers[i].id] = i;
    }

    bool stopping() const { return draining || cancel.cancelled(); }
    const SlotRecord* take();
    void work();
    void run_slot(const SlotRecord& slot);
    std::function<TaskRef()> opener(const SlotRecord& slot, TaskRef& opened);
    TrialResult run_try(const SlotRecord& slot, const std::function<TaskRef()>& open, int tries);
    void count(const std::optional<AttemptClass>& last);
};

Run::Run(RunParts parts, RunSettings settings)
    : state_(std::make_unique<State>(std::move(parts), settings)) {}
Run::~Run() = default;

const SlotRecord* Run::State::take() {
    std::lock_guard lock(mutex);
    if (stopping() || next >= slots->size()) return nullptr;
    return &(*slots)[next++];
}

void Run::State::work() {
    try {
        while (const SlotRecord* slot = take()) run_slot(*slot);
    } catch (...) {
        std::lock_guard lock(mutex);
        if (!fatal) fatal = std::current_exception();
        cancel.cancel(Cause::Aborted, "another trial could not be stored");
    }
}

std::function<TaskRef()> Run::State::opener(const SlotRecord& slot, TaskRef& opened) {
    std::exception_ptr problem;
    try {
        auto index = task_index.find(slot.task);
        if (index == task_index.end())
            throw Error(ErrorKind::Input,
                        "task " + slot.task + " of the plan is not there any more")
                .hint("the plan was made from other tasks; see --tasks");
        opened = parts.tasks->open(index->second);
        const std::string& digest = opened->header.digest;
        if (!digest.empty() && !slot.task_digest.empty() && digest != slot.task_digest)
            throw Error(ErrorKind::Input,
                        "task " + slot.task + " has changed since the plan was made")
                .hint("put the old content back, or make a new plan");
    } catch (...) {
        problem = std::current_exception();
    }
    return [task = opened, problem]() -> TaskRef {
        if (problem) std::rethrow_exception(problem);
        return task;
    };
}

TrialResult Run::State::run_try(const SlotRecord& slot, const std::function<TaskRef()>& open,
                                int tries) {
    auto writer = parts.store->begin_try(slot.id);
    parts.observer->trial_began(slot, writer->number());
    auto arm = arms.find(slot.arm);
    if (arm == arms.end())
        throw Error(ErrorKind::Internal, "slot " + slot.task + " belongs to no arm of the plan");
    TrialResult result;
    {
        Trial trial(
            {parts, settings, gate, meter, *arm->second, slot, *writer, open, cancel.child()});
        result = trial.run();
    }
    result.retry = result.retry && tries < settings.retries && !stopping();
    if (parts.redactor != nullptr) result.end = cleaned(std::move(result.end), *parts.redactor);
    writer->finish(result.end);
    parts.observer->trial_ended(slot, writer->number(), result.end, result.retry);
    return result;
}

void Run::State::run_slot(const SlotRecord& slot) {
    LogScope scope(fmt::format("{}#{}", slot.task, slot.attempt));
    TaskRef task;
    auto open = opener(slot, task);
    std::optional<AttemptClass> last;
    Nanoseconds wait = settings.retry_wait;
    try {
        for (int tries = 0;; ++tries) {
            {
                Admission::Ticket ticket = admission.take(claim_of(task), cancel);
                if (stopping()) break; // asked to stop while we waited
                TrialResult result = run_try(slot, open, tries);
                last = result.end.attempt_class;
                if (!result.retry) break;
            }
            if (!cancel.sleep_for(std::min(wait, kLongestRetryWait)) || stopping()) break;
            wait *= 2;
        }
    } catch (const Interrupted&) {
        // Stopped while it waited for its turn: nothing was begun.
    }
    count(last);
}

void Run::State::count(const std::optional<AttemptClass>& last) {
    std::lock_guard lock(mutex);
    if (!last)
        ++sums.untouched;
    else if (is_accepted(*last))
        ++sums.scored;
    else if (*last == AttemptClass::Cancelled)
        ++sums.cancelled;
    else
        ++sums.in_error;
}

RunResult Run::execute(const std::vector<SlotRecord>& slots) {
    State& state = *state_;
    state.slots = &slots;
    state.sums.planned = slots.size();
    int jobs = std::clamp<int>(static_cast<int>(std::min<std::size_t>(slots.size(), 100'000)), 1,
                               std::max(1, state.settings.jobs));
    state.parts.observer->run_began(slots.size(), jobs);
    {
        std::vector<TrialThread> threads;
        threads.reserve(static_cast<std::size_t>(jobs));
        try {
            for (int i = 0; i < jobs; ++i) threads.emplace_back([&state] { state.work(); });
        } catch (const Error&) {
            if (threads.empty()) throw;
            log_warn("only {} of {} trial threads could be started", threads.size(), jobs);
        }
    }
    if (state.fatal) std::rethrow_exception(state.fatal);
    RunResult& result = state.sums;
    result.untouched += slots.size() - state.next;
    result.cost = state.meter.spent();
    result.drained = state.draining;
    if (auto why = state.cancel.reason()) {
        result.cost_limit = why->cause == Cause::RunCostLimit;
        result.stopped = !result.cost_limit;
    }
    state.parts.observer->run_ended(result);
    return result;
}

void Run::drain() {
    state_->draining = true;
}

void Run::stop(Cause cause, std::string detail) {
    state_->draining = true;
    state_->cancel.cancel(cause, std::move(detail));
}

} // namespace assay
