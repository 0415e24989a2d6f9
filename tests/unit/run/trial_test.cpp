// The state machine: every way a trial can end, and on whose fault.
#include "assay/run/classify.h"
#include "catch.h"
#include "run_fixture.h"

#include <algorithm>
#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

struct Case {
    const char* name;
    std::function<void(RunFixture&)> plant;
    AttemptClass attempt_class;
    AgentEnd agent;
    VerifyEnd verify;
    int tries; // with two retries allowed
    const char* detail;
};

Step throws(std::function<void()> body) {
    return [body = std::move(body)](const Task&, TrialContext&) { body(); };
}

Step model_fault(ModelFault fault) {
    return throws([fault] { throw ModelError(fault, "planted"); });
}

void wait_for_limit(const Task&, TrialContext& context) {
    context.cancel().sleep_for(10s);
    context.cancel().check();
}

RunFixture with_limit(std::optional<Nanoseconds> PhaseLimits::* which) {
    Task task = plain_task("t");
    task.limits.*which = 5ms;
    return RunFixture({task});
}

const std::vector<Case>& cases() {
    using C = AttemptClass;
    using A = AgentEnd;
    using V = VerifyEnd;
    static const std::vector<Case> all = {
        {"done", [](RunFixture&) {}, C::Scored, A::Done, V::Done, 1, ""},
        {"agent failure",
         [](RunFixture& f) { f.agent = throws([] { throw Error(ErrorKind::Agent, "x"); }); },
         C::AgentFailure, A::Error, V::Done, 1, "agent"},
        {"context overflow",
         [](RunFixture& f) { f.agent = model_fault(ModelFault::ContextOverflow); }, C::AgentFailure,
         A::Error, V::Done, 1, "model/context-overflow"},
        {"refusal", [](RunFixture& f) { f.agent = model_fault(ModelFault::Refused); },
         C::AgentFailure, A::Error, V::Done, 1, "model/refused"},
        {"overload", [](RunFixture& f) { f.agent = model_fault(ModelFault::Overload); },
         C::InfrastructureError, A::Error, V::None, 3, "model/overload"},
        {"broken stream", [](RunFixture& f) { f.agent = model_fault(ModelFault::Retry); },
         C::InfrastructureError, A::Error, V::None, 3, "model/retry"},
        {"no key", [](RunFixture& f) { f.agent = model_fault(ModelFault::Auth); },
         C::InfrastructureError, A::Error, V::None, 1, "model/auth"},
        {"our bad request", [](RunFixture& f) { f.agent = model_fault(ModelFault::BadRequest); },
         C::InfrastructureError, A::Error, V::None, 1, "model/bad-request"},
        {"sandbox lost",
         [](RunFixture& f) { f.agent = throws([] { throw SandboxLost("planted"); }); },
         C::InfrastructureError, A::Error, V::None, 3, "sandbox/lost"},
        {"our bug", [](RunFixture& f) { f.agent = throws([] { throw std::runtime_error("x"); }); },
         C::InfrastructureError, A::Error, V::None, 1, "internal"},
        {"start fails",
         [](RunFixture& f) {
             f.null_options.on_start = [](const EnvironmentSpec&) {
                 throw Error(ErrorKind::Sandbox, "no room for another");
             };
         },
         C::InfrastructureError, A::None, V::None, 3, ""},
        {"prepare fails",
         [](RunFixture& f) {
             f.suite.on_prepare = throws([] { throw Error(ErrorKind::Input, "no such file"); });
         },
         C::InfrastructureError, A::None, V::None, 1, ""},
        {"agent's setup fails, even in its own name",
         [](RunFixture& f) { f.agent_setup = throws([] { throw Error(ErrorKind::Agent, "x"); }); },
         C::InfrastructureError, A::None, V::None, 1, ""},
        {"verifier error",
         [](RunFixture& f) {
             f.suite.on_score = throws([] { throw Error(ErrorKind::Verifier, "no reward"); });
         },
         C::VerifierError, A::Done, V::Error, 1, ""},
        {"sandbox lost while verifying",
         [](RunFixture& f) { f.suite.on_score = throws([] { throw SandboxLost("planted"); }); },
         C::InfrastructureError, A::Done, V::Error, 3, ""},
        {"judge unreachable",
         [](RunFixture& f) { f.suite.on_score = model_fault(ModelFault::Timeout); },
         C::InfrastructureError, A::Done, V::Error, 3, ""},
        {"judge refuses",
         [](RunFixture& f) { f.suite.on_score = model_fault(ModelFault::Refused); },
         C::VerifierError, A::Done, V::Error, 1, ""},
        {"verifier throws what agents throw",
         [](RunFixture& f) {
             f.suite.on_score = throws([] { throw Error(ErrorKind::Internal, "bug"); });
         },
         C::InfrastructureError, A::Done, V::Error, 1, ""},
    };
    return all;
}

} // namespace

TEST_CASE("every end has its class, and an error of ours never has a score") {
    for (const Case& one : cases()) {
        INFO(one.name);
        RunFixture fixture;
        fixture.suite.value = 0.5;
        one.plant(fixture);
        fixture.go();
        auto tries = fixture.store->tries();
        REQUIRE(static_cast<int>(tries.size()) == one.tries);
        const FakeTry& last = tries.back();
        REQUIRE(last.finished);
        CHECK(to_string(last.end.attempt_class) == to_string(one.attempt_class));
        CHECK(to_string(last.end.agent) == to_string(one.agent));
        CHECK(to_string(last.end.verify) == to_string(one.verify));
        CHECK(last.end.agent_detail == one.detail);
        CHECK(last.number == one.tries);
        bool kept = is_accepted(one.attempt_class);
        CHECK(last.end.accepted == kept);
        CHECK(last.end.score.has_value() == kept);
        if (kept) CHECK(*last.end.score == 0.5);
        CHECK(last.end.error.has_value() == (one.attempt_class != AttemptClass::Scored));
        CHECK(fixture.store->open_slots().empty() == kept);
    }
}

TEST_CASE("deadlines: before the agent ours, in it a limit, after it the verifier's") {
    SECTION("agent") {
        RunFixture f = with_limit(&PhaseLimits::agent);
        f.agent = wait_for_limit;
        f.go();
        FakeTry row = f.only_try();
        CHECK(row.end.attempt_class == AttemptClass::Limit);
        CHECK(row.end.agent == AgentEnd::Limit);
        CHECK(row.end.agent_detail.starts_with("deadline: agent phase"));
        CHECK(row.end.score == 1.0);
        CHECK(f.suite.scored == 1);
    }
    SECTION("an error that a cancelled call dies of is the limit's") {
        RunFixture f = with_limit(&PhaseLimits::agent);
        f.agent = [](const Task&, TrialContext& context) {
            context.cancel().sleep_for(10s);
            throw Error(ErrorKind::Io, "connection closed");
        };
        f.go();
        CHECK(f.only_try().end.attempt_class == AttemptClass::Limit);
    }
    SECTION("but a sandbox that is lost is lost, whatever the clock says") {
        RunFixture f = with_limit(&PhaseLimits::agent);
        f.settings.retries = 0;
        f.agent = [](const Task&, TrialContext& context) {
            context.cancel().sleep_for(10s);
            throw SandboxLost("gone");
        };
        f.go();
        CHECK(f.only_try().end.attempt_class == AttemptClass::InfrastructureError);
    }
    SECTION("set-up") {
        RunFixture f = with_limit(&PhaseLimits::agent_setup);
        f.agent_setup = wait_for_limit;
        f.settings.retries = 0;
        f.go();
        CHECK(f.only_try().end.attempt_class == AttemptClass::InfrastructureError);
        CHECK(f.only_try().end.error->kind == "deadline");
    }
    SECTION("verifier") {
        RunFixture f = with_limit(&PhaseLimits::verify);
        f.suite.on_score = wait_for_limit;
        f.go();
        CHECK(f.only_try().end.attempt_class == AttemptClass::VerifierError);
        CHECK(f.only_try().scores.empty());
    }
    SECTION("the time budget ends the agent, not the verifier") {
        RunFixture f;
        f.settings.budget.time = 10ms;
        f.agent = wait_for_limit;
        f.suite.on_score = [](const Task&, TrialContext& context) { context.cancel().check(); };
        f.go();
        CHECK(f.only_try().end.attempt_class == AttemptClass::Limit);
        CHECK(f.only_try().end.agent_detail.starts_with("time: "));
    }
}

TEST_CASE("phases are timed and in order, the clean-up always the last") {
    RunFixture f;
    f.agent = [](const Task&, TrialContext& context) { context.cancel().sleep_for(20ms); };
    f.go();
    FakeTry row = f.only_try();
    std::vector<std::string> names;
    for (const PhaseRecord& phase : row.phases) names.push_back(phase.name);
    CHECK(names == std::vector<std::string>{"environment_start", "agent_setup", "agent", "collect",
                                            "verify", "clean_up"});
    CHECK(row.phases[2].seconds >= 0.019);
    CHECK(row.end.wall_seconds >= row.phases[2].seconds);
    CHECK(row.events.front().kind == EventKind::PhaseBegin);
    CHECK(row.events.back().kind == EventKind::PhaseEnd);

    RunFixture broken;
    broken.agent = throws([] { throw SandboxLost("planted"); });
    broken.settings.retries = 0;
    broken.go();
    CHECK(broken.only_try().phases.back().name == "clean_up");
    CHECK(broken.only_try().phases[2].end == "error:sandbox/lost");
}

TEST_CASE("a limit that was hit is an event, once") {
    RunFixture f;
    auto backend = std::make_unique<FakeBackend>();
    backend->setup = [](FakeSandbox& sandbox) { sandbox.used.pids_refused = 7; };
    f.backend = std::move(backend);
    f.suite.on_score = [](const Task&, TrialContext& context) {
        static_cast<FakeSandbox&>(context.environment().main()).used.oom_kills = 2;
    };
    f.go();
    std::vector<std::string> told;
    for (const auto& event : f.only_try().events)
        if (event.kind == EventKind::Sandbox) told.push_back(event.json);
    CHECK(told == std::vector<std::string>{R"({"name":"main","event":"started"})",
                                           R"({"name":"main","event":"pids","refused":7})",
                                           R"({"name":"main","event":"oom","kills":2})"});
}

TEST_CASE(
    "a sandbox lost to its own memory limit is no infrastructure error, and not tried again") {
    bool by_agent = GENERATE(true, false), limit_hit = GENERATE(true, false);
    RunFixture f;
    auto backend = std::make_unique<FakeBackend>();
    backend->setup = [&](FakeSandbox& sandbox) { sandbox.used.oom_kills = limit_hit ? 1 : 0; };
    f.backend = std::move(backend);
    Step lose = [](const Task&, TrialContext& context) {
        static_cast<FakeSandbox&>(context.environment().main()).live = false;
        throw SandboxLost("planted");
    };
    (by_agent ? f.agent : f.suite.on_score) = lose;
    f.go();
    FakeTry last = f.store->tries().back();
    CHECK(f.store->tries().size() == (limit_hit ? 1 : 3));
    CHECK(last.end.attempt_class ==
          (limit_hit ? AttemptClass::VerifierError : AttemptClass::InfrastructureError));
    CHECK(last.end.agent == (by_agent ? AgentEnd::Error : AgentEnd::Done));
    CHECK_FALSE(last.end.score);
    CHECK_THAT(last.end.error->message, Catch::StartsWith("planted"));
}

TEST_CASE("the wait for the machine is queue time and stops the phase's clock") {
    Task slow = plain_task("slow"), timed = plain_task("timed");
    timed.limits.verify = 60ms;
    RunFixture f({slow, timed});
    f.settings.jobs = 2;
    f.agent = [](const Task& task, TrialContext& context) {
        if (task.header.id == "slow") context.cancel().sleep_for(250ms);
    };
    auto made = std::make_unique<FakeBackend>();
    FakeBackend& sandboxes = *made;
    f.backend = std::move(made);
    f.suite.on_score = [&](const Task& task, TrialContext& context) {
        if (task.header.id != "timed") return;
        auto hold = context.exclusive();
        auto inner = context.exclusive(); // once more is no more
        CHECK(sandboxes.quiet_now == 1);
        CHECK(sandboxes.quiet_for == f.plan.slots[1].id.hex());
        inner.reset();
        CHECK(sandboxes.quiet_now == 1);
        hold.reset();
        CHECK(sandboxes.quiet_now == 0);
        context.cancel().check();
    };
    f.go();
    for (const FakeTry& row : f.store->tries()) {
        CHECK(row.end.attempt_class == AttemptClass::Scored);
        if (row.slot == f.plan.slots[1].id) {
            CHECK(row.end.queue_seconds > 0.1);
            auto verify = std::find_if(row.phases.begin(), row.phases.end(),
                                       [](const PhaseRecord& p) { return p.name == "verify"; });
            REQUIRE(verify != row.phases.end());
            CHECK(verify->queue_seconds > 0.1);
        }
    }
}

TEST_CASE("a clean-up that waits for a timed kernel is queue time") {
    struct Watch final : SilentObserver {
        void phase_began(const SlotRecord& slot, std::string_view phase) override {
            if (slot.task == "other" && phase == "clean_up") cleaning = true;
        }
        std::atomic<bool> cleaning = false;
    } watch;
    RunFixture f({plain_task("other"), plain_task("timed")});
    f.settings.jobs = 2;
    f.observer = &watch;
    std::atomic<bool> asking = false;
    f.suite.on_score = [&](const Task& task, TrialContext& context) {
        auto wait_for = [&](const std::atomic<bool>& flag) {
            while (!flag && context.cancel().sleep_for(1ms)) {
            }
            context.cancel().sleep_for(100ms);
        };
        if (task.header.id == "other") return wait_for(asking);
        asking = true;
        auto hold = context.exclusive();
        wait_for(watch.cleaning);
    };
    f.go();
    for (const FakeTry& row : f.store->tries()) {
        if (row.slot != f.plan.slots[0].id) continue;
        REQUIRE(row.phases.back().name == "clean_up");
        CHECK(row.phases.back().queue_seconds > 0.09);
        CHECK(row.end.queue_seconds > 0.09);
    }
}

TEST_CASE("--clock net: a limit does not count what a model call waits in our queues") {
    for (bool net : {true, false}) {
        Task task = plain_task("t");
        task.limits.agent = 60ms;
        RunFixture f({task});
        f.settings.net_clock = net;
        auto model = std::make_shared<FakeModel>();
        model->then([](const CompletionRequest& request) {
            if (request.waiting) request.waiting(true);
            std::this_thread::sleep_for(150ms);
            if (request.waiting) request.waiting(false);
            return Completion();
        });
        f.models["agent"] = model;
        f.agent = [](const Task&, TrialContext& context) {
            CompletionRequest request;
            request.messages = {user_message("x")};
            context.model("agent").complete(request, {}, context.cancel());
            context.cancel().check();
        };
        f.go();
        FakeTry row = f.only_try();
        CHECK(row.end.attempt_class == (net ? AttemptClass::Scored : AttemptClass::Limit));
        REQUIRE_FALSE(row.scores.empty());
        CHECK(row.scores[0].deviations == (net ? R"(["clock=net"])" : "[]"));
    }
}

TEST_CASE("limits that were set by hand are deviations from the official procedure") {
    RunFixture f;
    f.settings.timeout_multiplier = 2;
    f.settings.budget.turns = 5;
    f.go();
    REQUIRE_FALSE(f.only_try().scores.empty());
    CHECK(f.only_try().scores[0].deviations == R"(["timeout-multiplier=2","max-turns=5"])");
}

TEST_CASE("a score has the hash of what the scorer saw: the same for the same, else another") {
    auto hash = [](std::optional<std::map<std::string, Digest>> inputs, Task task) {
        RunFixture f({std::move(task)});
        f.suite.inputs = std::move(inputs);
        f.suite.on_score = [](const Task&, TrialContext& context) { // is no input of the scorer
            context.artifact("timings", std::to_string(context.clock().wall_microseconds()), "");
        };
        f.go();
        return f.only_try().scores.at(0).input_hash;
    };
    Task task = plain_task("t"), changed = plain_task("t");
    changed.header.digest += "2";
    auto known = hash({{{"answer", sha256("42")}}}, task);
    REQUIRE(known.has_value());
    CHECK(*known == sha256("assay-score-input/1\ntask \"sha256:t\"\n" + sha256("42").hex() +
                           " \"answer\"\n"));
    CHECK(hash({{{"answer", sha256("42")}}}, task) == known);
    CHECK(hash({{{"answer", sha256("43")}}}, task) != known);
    CHECK(hash({{{"another", sha256("42")}}}, task) != known);
    CHECK(hash({{{"answer", sha256("42")}}}, changed) != known);
    CHECK(hash(std::map<std::string, Digest>(), task).has_value());
    CHECK_FALSE(hash(std::nullopt, task).has_value()); // a verifier in the agent's sandbox
}

namespace {

struct LayerCase { // of one attempt on a sandbox whose layer is `tar`
    RunFixture f;
    std::string order;

    explicit LayerCase(std::function<LayerTar(std::uint64_t)> layer) {
        auto backend = std::make_unique<FakeBackend>();
        backend->setup = [this, layer = std::move(layer)](FakeSandbox& sandbox) {
            sandbox.on_layer = [this, layer](std::uint64_t limit) {
                order += "layer ";
                return layer(limit);
            };
        };
        f.backend = std::move(backend);
        f.agent = [this](const Task&, TrialContext&) { order += "agent "; };
        f.suite.on_score = [this](const Task&, TrialContext&) { order += "score"; };
        f.settings.keep_layer = 2000;
    }
    FakeTry run() {
        f.go();
        FakeTry out = f.only_try();
        CHECK(out.end.attempt_class == AttemptClass::Scored);
        return out;
    }
    std::string note() {
        for (const FakeEvent& event : run().events)
            if (event.kind == EventKind::Note) return event.json;
        return "";
    }
};

// A header of an empty file, as far as it matters: its name, its time of change.
std::string small_tar(const std::string& name, const std::string& time) {
    std::string out(1536, '\0');
    out.replace(0, name.size(), name);
    out.replace(124, 11, "00000000000");
    out.replace(136, time.size(), time);
    return out;
}

LayerTar layer_tar(std::string bytes) {
    std::uint64_t size = bytes.size();
    return {size, std::move(bytes)};
}

} // namespace

TEST_CASE("the layer is kept as the verifier is given it, and is what it saw") {
    auto hash = [](const std::string& tar) {
        LayerCase c([&](std::uint64_t) { return layer_tar(tar); });
        FakeTry row = c.run();
        CHECK(c.order == "agent layer score");
        CHECK(row.artifacts == std::vector<std::string>{"layer.tar"});
        return row.scores.at(0).input_hash;
    };
    auto known = hash(small_tar("answer", "00000000001"));
    REQUIRE(known.has_value());
    CHECK(hash(small_tar("answer", "00000000002")) == known); // times are no content
    CHECK(hash(small_tar("answes", "00000000001")) != known);

    LayerCase named([](std::uint64_t) { return layer_tar(small_tar("a", "1")); });
    named.f.suite.inputs.emplace();
    LayerCase off([](std::uint64_t) { return layer_tar(""); });
    off.f.settings.keep_layer.reset();
    off.f.suite.inputs.emplace();
    CHECK(named.run().scores.at(0).input_hash == off.run().scores.at(0).input_hash);
    CHECK(off.order == "agent score");
}

TEST_CASE("a layer that cannot be kept is a note, never an error of the attempt") {
    CHECK(LayerCase([](std::uint64_t limit) -> LayerTar { return {limit + 1, {}}; }).note() ==
          R"({"text":"the layer was not kept: it has 2001 bytes, the limit is 2000"})");
    CHECK(LayerCase([](std::uint64_t) -> LayerTar {
              throw Error(ErrorKind::Sandbox, "odd");
          }).note() == R"({"text":"the layer was not kept: odd"})");
    LayerCase secret([](std::uint64_t) { return layer_tar("a secret-value-12345 b"); });
    secret.f.redactor.add("KEY", "secret-value-12345");
    CHECK(secret.note() == R"({"text":"the layer was not kept: a secret is in it"})");
}

TEST_CASE("a broken task is an error of its own trial, the others go on") {
    RunFixture f(plain_tasks(3));
    f.listed.on_open = [](const std::string& id) {
        if (id == "t1") throw Error(ErrorKind::Input, "t1/task.toml:3:5: not TOML");
    };
    RunResult result = f.go();
    CHECK(result.scored == 2);
    CHECK(result.in_error == 1);
    for (const FakeTry& row : f.store->tries()) {
        if (row.slot != f.plan.slots[1].id) continue;
        CHECK(row.end.error->kind == "input");
        CHECK(row.end.error->message == "t1/task.toml:3:5: not TOML");
    }
}

TEST_CASE("a task that was changed after the plan is not run") {
    RunFixture f;
    f.plan.slots[0].task_digest = "sha256:other";
    f.store = std::make_unique<FakeStore>(f.plan);
    f.go();
    CHECK_THAT(f.only_try().end.error->message, Catch::Contains("has changed"));
}

TEST_CASE("secrets in a task's environment are learned before anything is stored") {
    Task task = plain_task("t");
    task.environment.sandboxes[0].environment = {{"API_TOKEN", "hunter2hunter2"},
                                                 {"LANG", "C.UTF-8"}};
    RunFixture f({task});
    f.go();
    CHECK(f.redactor.clean("say hunter2hunter2 in C.UTF-8") ==
          "say [REDACTED:API_TOKEN] in C.UTF-8");
}

// Only at the end would the agent's whole run have been spent.
TEST_CASE("what a later phase needs is refused before the agent runs") {
    Task task = plain_task("t");
    SECTION("a network") {
        task.later_networks = {{NetworkMode::AllowList, {"a.example"}}};
    }
    SECTION("an environment") {
        task.later_environments = {EnvironmentSpec{}};
        task.later_environments[0].sandboxes[0].network.mode = NetworkMode::AllowList;
    }
    RunFixture f({task});
    auto backend = std::make_unique<FakeBackend>();
    backend->on_check = [](const EnvironmentSpec& spec) {
        if (spec.sandboxes[0].network.mode == NetworkMode::AllowList)
            throw Error(ErrorKind::Unsupported, "no allow-list network");
    };
    FakeBackend& fake = *backend;
    f.backend = std::move(backend);
    bool ran = false;
    f.agent = [&](const Task&, TrialContext&) { ran = true; };
    f.go();
    CHECK(f.only_try().end.error->message == "no allow-list network");
    CHECK_THAT(f.only_try().end.error->trace, Catch::Contains("later phases of t"));
    CHECK(f.only_try().end.attempt_class == AttemptClass::InfrastructureError);
    CHECK(fake.started == 0);
    CHECK_FALSE(ran);
}

TEST_CASE("a base that a later environment cannot have is found before the agent runs") {
    Task task = plain_task("t");
    task.later_environments = {EnvironmentSpec{}};
    task.later_environments[0].sandboxes[0].base.name = "not-here";
    RunFixture f({task});
    f.backend = std::make_unique<FakeBackend>();
    static_cast<FakeBackend&>(*f.backend).on_prepare = [](const BaseSpec& base) {
        throw Error(ErrorKind::Unsupported, "no base " + base.name);
    };
    bool ran = false;
    f.agent = [&](const Task&, TrialContext&) { ran = true; };
    f.go();
    CHECK(f.only_try().end.error->message == "no base not-here");
    CHECK_FALSE(ran);
}
