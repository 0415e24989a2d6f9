#include "live_run.h"

#include "assay/agents/agents.h"
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/models/models.h"
#include "assay/models/prices.h"
#include "assay/run/plan.h"
#include "assay/sandboxes/base_image.h"
#include "environment_record.h"
#include "model_environment.h"
#include "recording_source.h"
#include "registry.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace assay {

namespace {

int processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

std::uint64_t machine_memory() {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && size > 0
               ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size)
               : 0;
}

const AgentInfo& agent_info(const std::string& name) {
    std::string known;
    for (const AgentKind& kind : agent_kinds()) {
        if (kind.info.name == name) return kind.info;
        known += (known.empty() ? "" : ", ") + kind.info.name;
    }
    throw Error(ErrorKind::Usage, "there is no agent '" + name + "'")
        .hint("this build has: " + known);
}

std::vector<ArmRecord> arms_of(const RunArguments& arguments, const PlanSettings& settings) {
    if (arguments.agents.empty())
        throw Error(ErrorKind::Usage, "no agent is named")
            .hint("add --agent NAME; `assay list agents` shows which there are");
    std::vector<ArmRecord> arms;
    for (const std::string& agent : arguments.agents) {
        const AgentInfo& info = agent_info(agent);
        make_agent(agent, settings.agent); // a wrong setting is found now, not in every trial
        ArmRecord arm;
        arm.agent = agent;
        arm.agent_version = info.version;
        arm.judge = arguments.judge;
        arm.settings = nlohmann::json{{"agent", settings.agent}}.dump();
        if (!info.needs_model) {
            arms.push_back(arm);
            continue;
        }
        if (arguments.models.empty())
            throw Error(ErrorKind::Usage, "the agent " + agent + " needs a model")
                .hint("add --model SPEC; `assay list models` shows the forms");
        for (const std::string& model : arguments.models) {
            arm.model = model;
            arms.push_back(arm);
        }
    }
    return arms;
}

} // namespace

PlanRecord plan_of(const RunArguments& arguments) {
    if (arguments.suite.empty())
        throw Error(ErrorKind::Usage, "no suite is named")
            .hint("assay run SUITE ...; `assay list suites` shows which there are");
    PlanSettings settings = PlanSettings::from(arguments);
    auto suite = make_suite(find_suite(arguments.suite), settings.suite);
    if (suite->info().needs_judge && arguments.judge.empty())
        throw Error(ErrorKind::Usage, "the suite " + arguments.suite + " is scored by a model")
            .hint("add --judge SPEC; `assay list models` shows the forms");
    find_sandbox(settings.sandbox);
    if (!settings.base.empty()) check_base_name(settings.base);
    PlanRequest request;
    request.arms = arms_of(arguments, settings);
    if (!arguments.tasks.empty())
        request.source = std::filesystem::absolute(arguments.tasks).lexically_normal().string();
    auto tasks = suite->load(request.source, settings.filter);
    request.seed = arguments.seed;
    request.attempts = arguments.attempts;
    request.settings = settings.json();
    SystemRandom random;
    request.run = Id::random(random);
    return make_plan(suite->info(), *tasks, std::move(request));
}

LiveRun::LiveRun(const PlanRecord& plan, const RunArguments& arguments, Redactor& redactor)
    : plan_(plan)
    , arguments_(arguments)
    , redactor_(redactor)
    , plan_settings_(PlanSettings::parse(plan.settings)) {
    model_environment_ = model_environment(arguments_.model_env, redactor_);
    suite_ = make_suite(find_suite(plan.suite), plan_settings_.suite);
    if (suite_->info().version != plan.suite_version)
        throw Error(ErrorKind::Usage, "the plan was made with version " + plan.suite_version +
                                          " of the suite " + plan.suite + ", this is " +
                                          suite_->info().version)
            .hint("use the same build, or start a new run");
    load_tasks();
    prices_text_ = arguments_.prices.empty() ? plan_settings_.prices
                                             : RealFileSystem().read(arguments_.prices, 1 << 20);
    if (!prices_text_.empty())
        prices_ = std::make_shared<PriceTable>(PriceTable::parse(
            prices_text_, arguments_.prices.empty() ? "the plan's prices" : arguments_.prices));
    SandboxSettings sandbox = sandbox_settings(arguments_.state);
    sandbox.image_map = plan_settings_.image_map;
    sandbox.image_map_file = plan_settings_.image_map_file;
    sandbox.base = plan_settings_.base;
    sandboxes_ = find_sandbox(plan_settings_.sandbox).make(sandbox);

    ConnectionSettings connections;
    if (arguments_.connections > 0) {
        connections.start = arguments_.connections;
        connections.adaptive = false;
    }
    pool_ = std::make_unique<ConnectionPool>(
        connections, clock_,
        [this](const std::string& connection, const ConnectionLimit::Change& change) {
            if (store_ != nullptr)
                store_->connection_changed({change.wall_microseconds, connection, change.before,
                                            change.after, std::string(change.cause)});
        });
    make_arms();
    ModelsBySpec facts;
    for (const auto& [spec, model] : models_) facts[spec] = {model->fingerprint(), model->plan()};
    environment_ = environment_record(plan_, facts, *sandboxes_, redactor_);
}

void LiveRun::load_tasks() {
    std::string source = plan_.source == "samples" ? "" : plan_.source;
    if (!arguments_.tasks.empty())
        source = std::filesystem::absolute(arguments_.tasks).lexically_normal().string();
    try {
        tasks_ = suite_->load(source, plan_settings_.filter);
    } catch (Error& e) {
        e.frame("loading the tasks of the plan from " + (source.empty() ? "the samples" : source));
        throw;
    }
}

std::shared_ptr<Model> LiveRun::model(const std::string& spec) {
    auto& made = models_[spec];
    if (made) return made;
    ModelOptions options;
    options.environment = model_environment_;
    options.redactor = &redactor_;
    options.blobs = &blobs_;
    options.prices = prices_;
    options.context_tokens = plan_settings_.context_tokens;
    options.top_logprobs = plan_settings_.logprobs.value_or(-1);
    options.timeout = from_seconds(arguments_.model_timeout);
    options.open_recording = open_recording;
    options.warn = [](const std::string& text) { log_warn("{}", text); };
    std::unique_ptr<Model> plain = make_model(spec, options);
    need_price(*plain);
    if (spec.starts_with("replay:")) // a recorded failure is the same however often it is asked for
        made = std::move(plain);
    else
        made = with_retries(std::move(plain), *pool_, {}, clock_);
    return made;
}

// A limit on cost that no call can count towards would never hold.
void LiveRun::need_price(const Model& model) const {
    bool limits_run = std::isfinite(settings().max_cost.value_or(INFINITY));
    bool served = !model.connection_key().empty();
    if (!served || (!limits_run && !plan_settings_.budget.cost)) return;
    std::string name = model.name().substr(model.name().find(':') + 1);
    if (prices_ && prices_->cost(name, Usage{})) return;
    throw Error(ErrorKind::Usage,
                fmt::format("{}: there is no price for the model {}",
                            limits_run ? "--max-cost" : "--max-attempt-cost", name))
        .hint(fmt::format(R"(add --prices FILE, a file such as {{"{}": {{"input": 0.3, "output": )"
                          R"(1.2}}}}, in US dollars for a million tokens)",
                          name));
}

void LiveRun::make_arms() {
    for (const ArmRecord& record : plan_.arms) {
        Arm arm;
        arm.record = record;
        arm.agent_settings = plan_settings_.agent;
        arm.make_agent = [name = record.agent, settings = plan_settings_.agent] {
            return assay::make_agent(name, settings);
        };
        if (!record.model.empty()) arm.models["agent"] = model(record.model);
        if (!record.judge.empty()) arm.models["judge"] = model(record.judge);
        arms_.push_back(std::move(arm));
    }
}

void LiveRun::connect(RunStore& store) {
    store_ = &store;
    blobs_.connect(store.blobs());
    store.environment(environment_);
    if (!prices_text_.empty()) store.price("*", prices_text_);
}

RunParts LiveRun::parts(RunStore& store, RunObserver& observer) {
    RunParts parts;
    parts.suite = suite_.get();
    parts.tasks = tasks_.get();
    parts.sandboxes = sandboxes_.get();
    parts.store = &store;
    parts.clock = &clock_;
    parts.observer = &observer;
    parts.redactor = &redactor_;
    parts.arms = arms_;
    return parts;
}

RunSettings LiveRun::settings() const {
    RunSettings settings;
    settings.jobs = arguments_.jobs > 0 ? arguments_.jobs : processors();
    settings.retries = arguments_.retries;
    settings.timeout_multiplier = plan_settings_.timeout_multiplier;
    settings.net_clock = plan_settings_.net_clock;
    settings.budget = plan_settings_.budget;
    settings.max_cost = arguments_.max_cost ? arguments_.max_cost : plan_settings_.max_cost;
    settings.keep_layer = arguments_.keep_layer ? arguments_.keep_layer : plan_settings_.keep_layer;
    settings.seed = plan_.seed;
    // Whoever asks for more jobs than processors has trials that mostly wait for a model.
    settings.capacity.cpus = arguments_.cpus.value_or(std::max(processors(), settings.jobs));
    settings.capacity.memory_bytes =
        arguments_.memory_gib ? static_cast<std::uint64_t>(*arguments_.memory_gib * (1u << 30))
                              : machine_memory();
    return settings;
}

} // namespace assay
