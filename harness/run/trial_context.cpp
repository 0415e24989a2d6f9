// The part of a trial that agent and scorer see.
#include "assay/base/text.h"
#include "trial.h"

#include <fmt/format.h>

namespace assay {

Environment& Trial::environment() {
    if (!environment_) throw Error(ErrorKind::Internal, "the trial has no environment now");
    return *environment_;
}

EnvironmentSpec Trial::owned(EnvironmentSpec spec) const {
    spec.owner = parts_.slot.id.hex();
    return spec;
}

std::unique_ptr<Environment> Trial::new_environment(const EnvironmentSpec& spec) {
    events().emit(EventKind::Sandbox, R"({"name":"","event":"new environment"})");
    return parts_.run.sandboxes->start(owned(spec), phase_cancel_);
}

std::unique_ptr<Environment> Trial::new_environment(const EnvironmentSpec& spec,
                                                    std::shared_ptr<Checkpoint> from) {
    events().emit(EventKind::Sandbox,
                  fmt::format(R"({{"name":"","event":"new environment","checkpoint":"{}"}})",
                              from->digest().hex()));
    return parts_.run.sandboxes->start_from(owned(spec), std::move(from), phase_cancel_);
}

bool Trial::has_model(std::string_view role) const {
    return parts_.arm.models.contains(role);
}

RecordingModel& Trial::recording(std::string_view role) {
    std::lock_guard lock(models_mutex_);
    auto made = models_.find(role);
    if (made != models_.end()) return *made->second;
    auto found = parts_.arm.models.find(role);
    if (found == parts_.arm.models.end())
        throw Error(ErrorKind::Usage,
                    "the run has no model for the role '" + std::string(role) + "'")
            .hint(role == "judge" ? "name one with --judge SPEC" : "name one with --model SPEC");
    RecordingContext context{parts_.writer,        blobs(), *budget_,
                             *parts_.run.observer, clock(), parts_.slot,
                             parts_.settings.seed, {}};
    if (parts_.settings.net_clock)
        context.waiting = [this](bool begins) { wait_for_model(begins); };
    auto& slot = models_[std::string(role)];
    slot = std::make_unique<RecordingModel>(*found->second, std::string(role), context);
    return *slot;
}

// --clock net: the phase's limits stand still while a call waits in a queue of ours.
void Trial::wait_for_model(bool begins) {
    std::lock_guard lock(models_mutex_);
    waiting_calls_ += begins ? 1 : -1;
    for (const Cancel& limit : phase_clocks_) {
        if (waiting_calls_ > 0)
            limit.stop_clock();
        else
            limit.start_clock();
    }
}

Model& Trial::model(std::string_view role) {
    return recording(role);
}

SeedKey Trial::seed_key(std::string_view role) {
    if (has_model(role)) return recording(role).next_seed();
    SeedKey key;
    key.seed = parts_.settings.seed;
    key.task = parts_.slot.task;
    key.attempt = parts_.slot.attempt;
    key.role = std::string(role);
    return key;
}

void Trial::submit(std::string text) {
    submission_ = std::move(text);
    events().emit(EventKind::Note, R"({"text":"submitted"})",
                  {{"submission", blobs().put(submission_, "text/plain")}});
}

void Trial::artifact(std::string_view path, std::string_view bytes, std::string_view media_type) {
    parts_.writer.artifact(path, blobs().put(bytes, media_type));
}

class TrialExclusive final : public ExclusiveHold {
  public:
    TrialExclusive(Trial& trial, bool outermost)
        : trial_(trial)
        , outermost_(outermost) {}
    ~TrialExclusive() override {
        if (!outermost_) return;
        trial_.quiet_.reset();
        trial_.share_.make_shared();
        trial_.exclusive_ = false;
    }

  private:
    Trial& trial_;
    bool outermost_;
};

std::unique_ptr<ExclusiveHold> Trial::exclusive() {
    if (exclusive_) return std::make_unique<TrialExclusive>(*this, false);
    phase_cancel_.check();
    for (const Cancel& limit : phase_clocks_) limit.stop_clock();
    MonoTime began = clock().now();
    auto waited = [&] {
        double queued = seconds(clock().now() - began);
        phase_queue_seconds_ += queued;
        for (const Cancel& limit : phase_clocks_) limit.start_clock();
        return queued;
    };
    try {
        share_.make_exclusive(parts_.cancel); // without the phase's deadline
    } catch (...) {
        waited();
        throw;
    }
    exclusive_ = true;
    quiet_ = parts_.run.sandboxes->quiet(parts_.slot.id.hex());
    // Other trials wait for us; what they left running in their sandboxes does not.
    events().emit(EventKind::Note,
                  fmt::format(R"({{"text":"alone on the machine","queue_seconds":{:.6f},)"
                              R"("others_frozen":{},"others_running":{}}})",
                              waited(), quiet_ ? quiet_->frozen() : 0,
                              quiet_ ? quiet_->running() : 0));
    return std::make_unique<TrialExclusive>(*this, true);
}

} // namespace assay
