#include "trial.h"

#include "assay/base/log.h"
#include "assay/base/text.h"
#include "score_input.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

Trial::Trial(TrialParts parts)
    : parts_(std::move(parts))
    , phase_cancel_(parts_.cancel)
    , tools_(std::make_unique<OwnedToolSet>()) {
    began_ = clock().now();
    budget_ = std::make_unique<TryBudget>(parts_.settings.budget, parts_.meter);
}

Trial::~Trial() = default;

TrialResult Trial::run() {
    run_phases();
    clean_up();
    TryEnd end = finish();
    bool retry = retry_ && end.attempt_class == AttemptClass::InfrastructureError;
    return {std::move(end), retry};
}

void Trial::run_phases() {
    if (!set_up()) return;
    run_agent();
    if (infrastructure_ || cancelled_) return;
    if (!collect()) return;
    verify();
}

std::optional<Nanoseconds> Trial::scaled(const std::optional<Nanoseconds>& mine,
                                         const std::optional<Nanoseconds>& task) const {
    std::optional<Nanoseconds> limit = mine ? mine : task;
    if (!limit) return std::nullopt;
    double scaled_seconds = seconds(*limit) * parts_.settings.timeout_multiplier;
    return from_seconds(std::min(scaled_seconds, 1e9));
}

Budget Trial::budget_of() const {
    Budget budget = task_->budget;
    const Budget& mine = parts_.settings.budget;
    if (mine.turns) budget.turns = mine.turns;
    if (mine.tokens) budget.tokens = mine.tokens;
    if (mine.cost) budget.cost = mine.cost;
    if (mine.time) budget.time = mine.time;
    return budget;
}

PhaseOutcome Trial::timed(std::string_view name, Stage stage, const std::function<void()>& body) {
    PhaseRecord record;
    record.name = name;
    record.began = clock().wall_microseconds();
    Span span(events(), EventKind::PhaseBegin, fmt::format(R"({{"phase":"{}"}})", name));
    parts_.run.observer->phase_began(parts_.slot, name);
    MonoTime began = clock().now();
    PhaseOutcome outcome;
    try {
        body();
    } catch (...) {
        outcome = explain(std::current_exception(), stage, phase_cancel_.reason());
    }
    quiet_.reset();
    if (stage != Stage::Setup && outcome.detail == "sandbox/lost") blame_memory(outcome, stage);
    exclusive_ = false;
    share_ = {};
    phase_clocks_.clear();
    record.queue_seconds = phase_queue_seconds_;
    record.seconds = seconds(clock().now() - began);
    if (outcome.outcome == Outcome::Done)
        record.end = "done";
    else if (outcome.outcome == Outcome::Limit)
        record.end = "limit:" + outcome.detail;
    else if (outcome.outcome == Outcome::Cancelled)
        record.end = "cancelled";
    else
        record.end = "error:" + outcome.detail;
    queue_seconds_ += phase_queue_seconds_;
    if (outcome.outcome == Outcome::Limit)
        events().emit(EventKind::Limit,
                      fmt::format(R"({{"cause":{},"detail":{}}})", json_quote(outcome.detail),
                                  json_quote(outcome.error->message)));
    else if (outcome.error)
        events().emit(EventKind::Error, fmt::format(R"({{"kind":{},"message":{},"trace":{}}})",
                                                    json_quote(outcome.error->kind),
                                                    json_quote(outcome.error->message),
                                                    json_quote(outcome.error->trace)));
    span.end(EventKind::PhaseEnd,
             fmt::format(R"({{"phase":"{}","seconds":{:.6f},"queue_seconds":{:.6f},"end":{}}})",
                         name, record.seconds, record.queue_seconds, json_quote(record.end)));
    parts_.writer.phase(std::move(record));
    return outcome;
}

// A sandbox that its own limit of memory took away was lost by what ran in it: that is no trouble
// of ours, and another try no remedy.
void Trial::blame_memory(PhaseOutcome& outcome, Stage stage) {
    if (environment_->main().usage().oom_kills <= 0) return;
    outcome.outcome = stage == Stage::Agent ? Outcome::AgentFault : Outcome::VerifierFault;
    outcome.error->message += "; what ran in it had used up its memory";
    outcome.retry = false;
}

PhaseOutcome Trial::phase(std::string_view name, Stage stage, std::optional<Nanoseconds> limit,
                          const std::function<void()>& body) {
    phase_queue_seconds_ = 0;
    phase_cancel_ = parts_.cancel;
    return timed(name, stage, [&] {
        enter_gate(parts_.cancel);
        phase_cancel_ = parts_.cancel.child();
        if (limit)
            set_deadline(Cause::Deadline, *limit,
                         fmt::format("{} phase: {:g} s", name, seconds(*limit)));
        body();
    });
}

void Trial::enter_gate(const Cancel& cancel) {
    MonoTime queued = clock().now();
    share_ = parts_.gate.enter(cancel);
    phase_queue_seconds_ += seconds(clock().now() - queued);
}

void Trial::set_deadline(Cause cause, Nanoseconds limit, std::string detail) {
    phase_cancel_ = phase_cancel_.child(cause, limit, std::move(detail));
    phase_clocks_.push_back(phase_cancel_);
}

bool Trial::failed(const PhaseOutcome& outcome) {
    if (outcome.outcome == Outcome::Done || outcome.outcome == Outcome::Limit) return false;
    if (!end_.error) end_.error = outcome.error;
    cancelled_ = outcome.outcome == Outcome::Cancelled;
    infrastructure_ = outcome.outcome == Outcome::Infrastructure;
    retry_ = outcome.retry;
    return true;
}

// All that the task will ever ask of the sandboxes: a need that is found wanting at the end has
// cost the agent's whole run.
void Trial::check_needs() {
    SandboxBackend& sandboxes = *parts_.run.sandboxes;
    sandboxes.check(task_->environment);
    try {
        for (const NetworkPolicy& network : task_->later_networks) {
            EnvironmentSpec changed = task_->environment;
            changed.sandboxes.front().network = network;
            sandboxes.check(changed);
        }
        for (const EnvironmentSpec& later : task_->later_environments) {
            sandboxes.check(later);
            for (const SandboxSpec& sandbox : later.sandboxes)
                sandboxes.prepare(sandbox.base, phase_cancel_);
        }
    } catch (Error& e) {
        e.frame("checking what later phases of " + task_->header.id + " need");
        throw;
    }
}

void Trial::start_environment() {
    budget_ = std::make_unique<TryBudget>(budget_of(), parts_.meter);
    if (parts_.run.redactor != nullptr) {
        for (const auto& [name, value] : task_->secrets) parts_.run.redactor->add(name, value);
        for (const SandboxSpec& sandbox : task_->environment.sandboxes)
            for (const auto& [name, value] : sandbox.environment)
                if (is_secret_name(name)) parts_.run.redactor->add(name, value);
    }
    agent_ = parts_.arm.make_agent();
    if (!agent_->info().needs_model) // the others tell what they say themselves
        events().emit(EventKind::Message, R"({"role":"user","source":"instruction"})",
                      {{"text", blobs().put(task_->instruction, "text/plain")}});
    check_needs();
    phase_cancel_.check();
    environment_began_ = clock().now();
    environment_ = parts_.run.sandboxes->start(owned(task_->environment), phase_cancel_);
    environment_facts_ = environment_json();
    for (const std::string& name : environment_->names())
        events().emit(EventKind::Sandbox,
                      fmt::format(R"({{"name":{},"event":"started"}})", json_quote(name)));
}

bool Trial::set_up() {
    // The limit is the task's, which is not known before it is opened.
    PhaseOutcome started = phase("environment_start", Stage::Setup, std::nullopt, [&] {
        task_ = parts_.open_task();
        if (auto limit =
                scaled(parts_.settings.limits.environment_start, task_->limits.environment_start))
            set_deadline(Cause::Deadline, *limit,
                         fmt::format("environment_start phase: {:g} s", seconds(*limit)));
        start_environment();
    });
    if (failed(started)) return false;
    auto limit = scaled(parts_.settings.limits.agent_setup, task_->limits.agent_setup);
    return !failed(phase("agent_setup", Stage::Setup, limit, [&] {
        suite().prepare(*task_, *this);
        tools_ = suite().tools(*task_, *this);
        if (!tools_) tools_ = std::make_unique<OwnedToolSet>();
        agent_->setup(*task_, *this);
    }));
}

void Trial::run_agent() {
    auto limit = scaled(parts_.settings.limits.agent, task_->limits.agent);
    PhaseOutcome outcome = phase("agent", Stage::Agent, limit, [&] {
        if (auto time = budget_of().time) {
            Nanoseconds used =
                (clock().now() - began_) - from_seconds(queue_seconds_ + phase_queue_seconds_);
            set_deadline(Cause::TimeLimit, std::max(*time - used, Nanoseconds(0)),
                         fmt::format("{:g} s in all", seconds(*time)));
        }
        budget_->guard(phase_cancel_);
        agent_->run(*task_, *this);
    });
    budget_->guard(std::nullopt);
    end_.agent_detail = outcome.detail;
    if (outcome.outcome == Outcome::Limit) end_.agent_detail += ": " + outcome.error->message;
    switch (outcome.outcome) {
    case Outcome::Done:
        end_.agent = AgentEnd::Done;
        break;
    case Outcome::Limit:
        end_.agent = AgentEnd::Limit;
        break;
    case Outcome::Cancelled:
        end_.agent = AgentEnd::Cancelled;
        break;
    default:
        end_.agent = AgentEnd::Error;
        break;
    }
    if (outcome.outcome == Outcome::AgentFault)
        end_.error = outcome.error;
    else
        failed(outcome);
}

bool Trial::collect() {
    return !failed(phase("collect", Stage::Verify, std::nullopt, [&] {
        if (!environment_->main().alive())
            throw SandboxLost("the sandbox " + environment_->main().name() +
                              " was gone when the agent had ended");
        take_usage();
        keep_layer();
    }));
}

// Limits that were hit since the last look are events.
void Trial::take_usage() {
    ResourceUsage now = environment_->usage();
    auto tell = [&](const char* event, const char* key, std::int64_t before, std::int64_t after) {
        std::int64_t more = after - std::max<std::int64_t>(before, 0);
        if (more > 0)
            events().emit(EventKind::Sandbox,
                          fmt::format(R"({{"name":{},"event":"{}","{}":{}}})",
                                      json_quote(environment_->main().name()), event, key, more));
    };
    tell("oom", "kills", end_.resources.oom_kills, now.oom_kills);
    tell("pids", "refused", end_.resources.pids_refused, now.pids_refused);
    end_.resources = now;
}

// As the verifier is given it.
void Trial::keep_layer() {
    if (!parts_.settings.keep_layer) return;
    auto not_kept = [&](const std::string& why) {
        events().emit(EventKind::Note, fmt::format(R"({{"text":{}}})",
                                                   json_quote("the layer was not kept: " + why)));
    };
    LayerTar tar;
    try {
        tar = environment_->main().layer_tar(*parts_.settings.keep_layer, phase_cancel_);
    } catch (const Error& e) { // no reason to lose the attempt; a lost sandbox is noticed anyway
        return not_kept(e.message());
    }
    if (!tar.bytes)
        return not_kept(
            fmt::format("it has {} bytes, the limit is {}", tar.size, *parts_.settings.keep_layer));
    const Redactor* redactor = parts_.run.redactor;
    if (redactor != nullptr && redactor->clean(*tar.bytes) != *tar.bytes)
        return not_kept("a secret is in it"); // a tar is broken if a part is replaced
    artifact("layer.tar", *tar.bytes, "application/x-tar");
    layer_ = layer_digest(*tar.bytes);
}

void Trial::verify() {
    auto limit = scaled(parts_.settings.limits.verify, task_->limits.verify);
    PhaseOutcome outcome =
        phase("verify", Stage::Verify, limit, [&] { keep_score(suite().score(*task_, *this)); });
    if (outcome.outcome == Outcome::Done) {
        end_.verify = VerifyEnd::Done;
        return;
    }
    end_.score.reset();
    end_.verify = outcome.outcome == Outcome::Cancelled ? VerifyEnd::Cancelled : VerifyEnd::Error;
    end_.error = outcome.error;
    failed(outcome);
}

// What was set by hand and changes what an attempt may use.
std::vector<std::string> Trial::run_deviations() const {
    const RunSettings& settings = parts_.settings;
    std::vector<std::string> out;
    if (settings.net_clock) out.emplace_back("clock=net");
    if (settings.timeout_multiplier != 1)
        out.push_back(fmt::format("timeout-multiplier={:g}", settings.timeout_multiplier));
    const Budget& budget = settings.budget;
    if (budget.turns) out.push_back(fmt::format("max-turns={}", *budget.turns));
    if (budget.tokens) out.push_back(fmt::format("max-tokens={}", *budget.tokens));
    if (budget.cost) out.push_back(fmt::format("max-attempt-cost={:g}", *budget.cost));
    if (budget.time) out.push_back(fmt::format("max-seconds={:g}", seconds(*budget.time)));
    return out;
}

void Trial::keep_score(const ScoreResult& result) {
    ScoreRecord record;
    record.scorer = suite().info().name;
    record.version = suite().info().version;
    if (!result.explanation.empty())
        record.explanation = blobs().put(result.explanation, "text/plain");
    std::string deviations;
    for (const auto& list : {result.deviations, run_deviations()})
        for (const std::string& deviation : list)
            deviations += (deviations.empty() ? "" : ",") + json_quote(deviation);
    record.deviations = "[" + deviations + "]";
    record.details = result.details;
    record.input_hash = score_input_hash(task_->header.digest, result, layer_);
    auto keep = [&](const Metric& metric, bool primary) {
        record.metric = metric.name;
        record.value = metric.value;
        record.primary = primary;
        parts_.writer.score(record);
        events().emit(EventKind::Score, fmt::format(R"({{"metric":{},"value":{}}})",
                                                    json_quote(metric.name), metric.value));
    };
    keep(result.primary, true);
    for (const Metric& metric : result.others) keep(metric, false);
    end_.score = result.primary.value;
}

void Trial::clean_up() {
    if (!environment_ && !agent_) return;
    phase_queue_seconds_ = 0;
    phase_cancel_ = parts_.cancel;
    timed("clean_up", Stage::Setup, [&] {
        if (!parts_.cancel.cancelled()) enter_gate(Cancel());
        tools_ = std::make_unique<OwnedToolSet>(); // may hold processes inside
        agent_.reset();
        if (!environment_) return;
        try {
            take_usage();
        } catch (const std::exception& e) {
            log_warn("usage of {}: {}", parts_.slot.task, e.what());
        }
        environment_.reset();
    });
    if (environment_began_) end_.sandbox_seconds = seconds(clock().now() - *environment_began_);
}

TryEnd Trial::finish() {
    end_.attempt_class = classify(end_.agent, end_.verify, infrastructure_, cancelled_);
    end_.accepted = is_accepted(end_.attempt_class);
    if (!end_.accepted) end_.score.reset();
    end_.ended = clock().wall_microseconds();
    end_.wall_seconds = seconds(clock().now() - began_);
    end_.queue_seconds = queue_seconds_ + budget_->queue_seconds();
    end_.model_seconds = budget_->model_seconds();
    end_.usage = budget_->usage();
    end_.turns = budget_->turns();
    end_.environment = environment_facts_;
    return end_;
}

std::string Trial::environment_json() {
    SandboxCapabilities can = environment_->main().capabilities();
    std::string bases;
    for (const BaseRecord& base : environment_->bases())
        bases += fmt::format(R"({}{{"asked":{},"used":{},"substituted":{},"digest":"{}"}})",
                             bases.empty() ? "" : ",", json_quote(base.asked),
                             json_quote(base.used), base.substituted, base.digest.hex());
    return fmt::format(R"({{"backend":{},"bases":[{}],"multi_user":{},"limits_held":)"
                       R"({{"cpus":{},"memory":{},"pids":{},"disk":{}}},"notes":{}}})",
                       json_quote(parts_.run.sandboxes->name()), bases, can.multi_user,
                       can.limit_cpus, can.limit_memory, can.limit_pids, can.limit_disk,
                       json_quote(can.notes));
}

} // namespace assay
