#include "arguments.h"

#include "assay/base/error.h"
#include "config_file.h"
#include "man_page.h"
#include "version.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <memory>
#include <set>

namespace assay {

namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 all attempts ended scored, 1 some ended in error, 2 inconclusive,\n"
    "3 invalid, 64 wrong usage, input or output file, 130 stopped by Ctrl-C or --max-cost.";
constexpr const char* kServeExitCodes =
    "Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 failed, 64 wrong usage or input.";
constexpr const char* kEngineExitCodes =
    "Exit codes: 0 done, 1 failed, 64 wrong usage, input or output file, 130 stopped by Ctrl-C.";

CLI::Option* list_option(CLI::App* app, const std::string& name, std::vector<std::string>& into,
                         const std::string& help) {
    return app->add_option(name, into, help)->allow_extra_args(false);
}

// Its name is what help, the manual and errors show.
template<class Value>
CLI::Option* positional(CLI::App* app, const std::string& name, Value& into,
                        const std::string& help) {
    return app->add_option(name, into, help)->type_name("");
}

// The library would show the description of a check behind the option's type.
CLI::Validator silent(CLI::Validator check) {
    return check.description("");
}
template<class Number>
CLI::Validator from_to(Number least, Number most) {
    return silent(CLI::Range(least, most));
}
const CLI::Validator kNatural =
    from_to(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
const CLI::Validator kPositive = from_to(1, std::numeric_limits<int>::max());
constexpr int kMostParallel = 100'000;

constexpr std::uint64_t kMostLayer = 1ull << 30; // it is held in memory
constexpr double kMostNumber = 1e9; // seconds as nanoseconds and GiB as bytes fit 64 bits

// CLI::Range takes "nan", which is neither below nor above anything, for a limit that never holds.
CLI::Validator positive(double most) {
    auto check = [most](const std::string& word) {
        double value = 0;
        bool good = CLI::detail::lexical_cast(word, value) && value > 0 && value <= most;
        return good ? std::string()
                    : word + " is no positive number" +
                          (std::isfinite(most) ? fmt::format(" up to {:g}", most) : "");
    };
    return CLI::Validator(check, "");
}

void add_max_cost(CLI::App* app, RunArguments& run, const std::string& help) {
    app->add_option("--max-cost", run.max_cost, help)
        ->type_name("X|none")
        ->transform([](const std::string& word) { return word == "none" ? "inf" : word; })
        ->check(positive(std::numeric_limits<double>::infinity()));
}

void add_what_to_run(CLI::App* app, RunArguments& run) {
    positional(app, "SUITE", run.suite, "suite to run, see `assay list suites`");
    app->add_option("--tasks", run.tasks, "folder or file of the tasks; without: the samples")
        ->type_name("PATH");
    list_option(app, "--task", run.task_globs, "only tasks whose name fits; may be repeated")
        ->type_name("GLOB");
    list_option(app, "--exclude", run.exclude_globs, "not the tasks whose name fits; repeatable")
        ->type_name("GLOB");
    list_option(app, "--agent", run.agents, "agent, see `assay list agents`; repeatable")
        ->type_name("NAME");
    list_option(app, "--model", run.models, "model, see `assay list models`; repeatable")
        ->type_name("SPEC");
    app->add_option("--judge", run.judge, "model that judges, where the suite has one")
        ->type_name("SPEC");
    app->add_option("--attempts", run.attempts, "attempts at each task by each agent and model")
        ->type_name("K")
        ->check(from_to(1, kMostParallel));
    app->add_option("--seed", run.seed, "seed of everything random that can be repeated")
        ->type_name("S")
        ->check(kNatural);
    app->add_option("--sandbox", run.sandbox, "sandbox backend, see `assay list sandboxes`")
        ->type_name("NAME");
    app->add_option("--base", run.base, "base of every sandbox, instead of the task's image")
        ->type_name("NAME");
    app->add_option("--image-map", run.image_map, "file of lines `GLOB BASE` for images")
        ->type_name("FILE");
    app->add_option("--verifier", run.verifier, "official, or compat where tests need a network")
        ->type_name("official|compat")
        ->check(silent(CLI::IsMember({"official", "compat"})));
    list_option(app, "--set", run.suite_settings, "a setting of the suite; repeatable")
        ->type_name("KEY=VALUE");
    list_option(app, "--agent-set", run.agent_settings, "a setting of the agent; repeatable")
        ->type_name("KEY=VALUE");
    app->add_option("--timeout-multiplier", run.timeout_multiplier, "of every phase's limit")
        ->type_name("X")
        ->check(positive(kMostNumber));
    app->add_option("--clock", run.clock,
                    "of limits: official counts all time, net not the waits in queues of ours")
        ->type_name("official|net")
        ->check(silent(CLI::IsMember({"official", "net"})));
    app->add_option("--max-turns", run.max_turns, "model calls of the agent in an attempt")
        ->type_name("N")
        ->check(kPositive);
    app->add_option("--max-tokens", run.max_tokens, "tokens of an attempt, prompts included")
        ->type_name("N")
        ->check(kNatural);
    app->add_option("--max-attempt-cost", run.max_attempt_cost, "US dollars of an attempt")
        ->type_name("X")
        ->check(positive(kMostNumber));
    app->add_option("--max-seconds", run.max_seconds, "wall time of an attempt")
        ->type_name("X")
        ->check(positive(kMostNumber));
    app->add_option("--context-tokens", run.context_tokens, "context length of a served model")
        ->type_name("N")
        ->check(kNatural);
    app->add_option("--logprobs", run.logprobs,
                    "ask models for log-probabilities, with N alternatives a token")
        ->type_name("N")
        ->check(from_to(0, 20));
    app->add_option(
           "--keep-layer", run.keep_layer,
           "store what the agent changed in its sandbox, as layer.tar, if it is not larger: "
           "16M, at most 1G; without: not stored")
        ->type_name("SIZE")
        ->transform(silent(CLI::AsSizeValue(false)))
        ->check(from_to(std::uint64_t{1}, kMostLayer));
    add_max_cost(app, run, "US dollars of the run; stops when reached");
}

void add_how_to_run(CLI::App* app, RunArguments& run) {
    app->add_option("--jobs", run.jobs, "trials at a time; without: one for each processor")
        ->type_name("N")
        ->check(from_to(1, kMostParallel));
    app->add_option("--retries", run.retries, "tries again after an infrastructure error")
        ->type_name("N")
        ->check(from_to(0, 100));
    app->add_option("--prices", run.prices, "JSON file of prices, see docs/models.md")
        ->type_name("FILE");
    list_option(app, "--model-env", run.model_env,
                "variable for the model's provider, NAME or NAME=VALUE; never stored")
        ->type_name("NAME");
    app->add_option("--connections", run.connections, "model calls at a time; without: adaptive")
        ->type_name("N")
        ->check(from_to(1, kMostParallel));
    app->add_option("--model-timeout", run.model_timeout, "seconds for one model call")
        ->type_name("X")
        ->check(positive(kMostNumber));
    app->add_option("--cpus", run.cpus, "processors that trials may claim in all")
        ->type_name("X")
        ->check(positive(kMostNumber));
    app->add_option("--memory", run.memory_gib, "GiB that trials may claim in all")
        ->type_name("X")
        ->check(positive(kMostNumber));
    app->add_option("--state", run.state, "folder for caches; without: the user's cache folder")
        ->type_name("PATH");
    app->add_flag("--quiet", run.quiet, "no progress, only the result");
}

void add_config(CLI::App* app, std::string& ignored) {
    app->add_option("--config", ignored, "TOML file of the same options; the command line wins")
        ->type_name("FILE");
}

// Everything CLI11 writes to; lives as long as the App.
struct Parser {
    Arguments out;
    std::vector<const CLI::Option*> fixed_by_plan; // of run
    std::string config;
    std::string run_file, checkpoint;
    std::vector<std::string> inputs;
    CLI::App app{"assay runs agentic benchmarks in sandboxes, stores every step, reports scores "
                 "with honest error bars.",
                 "assay"};

    static CLI::App* command(CLI::App* parent, const std::string& name, const std::string& help,
                             const char* footer) {
        CLI::App* sub = parent->add_subcommand(name, help);
        sub->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        sub->footer(footer);
        sub->set_help_flag("-h,--help", "this text");
        sub->fallthrough();
        return sub;
    }
    CLI::App* command(const std::string& name, const std::string& help) {
        return command(&app, name, help, kExitCodes);
    }
    CLI::App* engine_command(CLI::App* engine, const std::string& name, const std::string& help) {
        CLI::App* sub = command(engine, name, help, kEngineExitCodes);
        positional(sub, "CHECKPOINT", checkpoint, "folder with config.json and safetensors")
            ->required();
        return sub;
    }
    Parser();
    void refuse_beside_plan() const;
    void add_run_commands();
    void add_reading_commands();
    void add_other_commands();
    void add_engine_commands();
    void add_generating_commands(CLI::App* engine);
    void add_compute(CLI::App* sub, const std::string& otherwise);
    void add_serve_command();
};

void Parser::add_run_commands() {
    CLI::App* run = command("run", "run a suite");
    add_what_to_run(run, out.run);
    for (const CLI::Option* option : run->get_options())
        if (option != run->get_help_ptr()) fixed_by_plan.push_back(option);
    add_how_to_run(run, out.run);
    run->add_option("--plan", out.run.plan, "a plan made by `assay plan`, instead of a suite")
        ->type_name("PLAN.json");
    run->add_option("--shard", out.run.shard, "only part I of N of the plan")->type_name("I/N");
    run->add_flag("--dry-run", out.run.dry_run, "show what would be run, and stop");
    run->add_option("--out", out.run.out, "file of the run; must not exist")->type_name("RUN.db");
    add_config(run, config);

    CLI::App* plan = command("plan", "fix what will be run, for shards on several machines");
    add_what_to_run(plan, out.run);
    plan->add_option("--out", out.run.out, "file to write")->type_name("PLAN.json")->required();
    add_config(plan, config);

    CLI::App* resume = command("resume", "run what a run still lacks");
    positional(resume, "RUN.db", run_file, "the run")->required();
    add_how_to_run(resume, out.run);
    add_max_cost(resume, out.run, "US dollars, spent before included; none: no limit");
    resume->add_option("--shard", out.run.shard, "only part I of N of the plan")->type_name("I/N");
    add_config(resume, config);

    CLI::App* merge = command("merge", "put the parts of one plan together");
    positional(merge, "PART.db", inputs, "runs of shards of the same plan")->required();
    merge->add_option("--out", out.out, "the whole; may exist")->type_name("RUN.db")->required();
}

void Parser::refuse_beside_plan() const {
    static const std::set<std::string> also_of_a_start = {"--tasks", "--max-cost", "--keep-layer"};
    if (out.run.plan.empty()) return;
    for (const CLI::Option* option : fixed_by_plan) {
        if (option->count() == 0 || also_of_a_start.contains(option->get_name())) continue;
        std::string name =
            option->get_positional() ? "the suite " + out.run.suite : option->get_name();
        throw Error(ErrorKind::Usage, "--plan and " + name + " exclude each other")
            .hint("the plan fixes what is run; `assay plan` makes another");
    }
}

void Parser::add_reading_commands() {
    CLI::App* list = command("list", "list suites, agents, models, sandboxes, or a run's attempts");
    positional(list, "WHAT|RUN.db", out.what, "suites, agents, models, sandboxes or a run")
        ->required();
    list->add_flag("--json", out.json, "as JSON");

    CLI::App* show = command("show", "show a run, a task of it, or one attempt's trajectory");
    positional(show, "RUN.db", run_file, "the run")->required();
    positional(show, "TASK", out.task, "a task of the run");
    positional(show, "ATTEMPT", out.attempt, "number of the attempt, from 1")->check(kPositive);
    show->add_flag("--json", out.json, "as JSON");

    CLI::App* report = command("report", "write one self-contained HTML file about runs");
    positional(report, "RUN.db", inputs, "runs to report")->required();
    report->add_option("-o,--output", out.out, "file to write")->type_name("FILE.html")->required();
    report->add_option("--title", out.title, "title of the page")->type_name("TEXT");

    CLI::App* exported = command("export", "write a run in another tool's format");
    positional(exported, "RUN.db", run_file, "the run")->required();
    exported->add_option("--format", out.format, "harbor, atif, csv or junit")
        ->type_name("FORMAT")
        ->required()
        ->check(silent(CLI::IsMember({"harbor", "atif", "csv", "junit"})));
    exported
        ->add_option("-o,--output", out.out, "file or folder to write; replaces an earlier export")
        ->type_name("PATH")
        ->required();
}

void Parser::add_other_commands() {
    CLI::App* shell = command("shell", "a shell in a task's environment");
    positional(shell, "TASK", out.task, "the task's name")->required();
    shell->add_option("--tasks", out.run.tasks, "folder or file of the tasks")->type_name("PATH");
    shell->add_option("--suite", out.run.suite, "their suite; without: the first that has the task")
        ->type_name("SUITE");
    shell->add_option("--sandbox", out.run.sandbox, "sandbox backend")->type_name("NAME");
    shell->add_option("--base", out.run.base, "base, instead of the task's image")
        ->type_name("NAME");
    shell->add_option("--image-map", out.run.image_map, "file of lines `GLOB BASE` for images")
        ->type_name("FILE");
    shell->add_option("--state", out.run.state, "folder for caches")->type_name("PATH");
    list_option(shell, "--set", out.run.suite_settings, "a setting of the suite; repeatable")
        ->type_name("KEY=VALUE");
    shell->add_option("--command", out.shell_command, "run this with `sh -c`, without a terminal")
        ->type_name("TEXT")
        ->expected(1);

    CLI::App* doctor = command("doctor", "say what this machine can do, and how to get the rest");
    doctor->add_option("--sandbox", out.run.sandbox, "backend to look at")->type_name("NAME");
    doctor->add_option("--state", out.run.state, "folder for caches")->type_name("PATH");
    doctor->add_flag("--json", out.json, "as JSON");

    CLI::App* bench = command("bench", "measure the harness, the sandboxes or the store");
    positional(bench, "WHAT", out.what, "harness, sandbox or store")
        ->required()
        ->check(silent(CLI::IsMember({"harness", "sandbox", "store"})));
    bench->add_option("--seconds", out.bench_seconds, "about how long one measurement takes")
        ->type_name("X")
        ->check(positive(kMostNumber));
    bench->add_option("--jobs", out.bench_jobs, "trials or sandboxes at a time")
        ->type_name("N")
        ->check(from_to(1, kMostParallel));
    bench->add_option("--sandbox", out.run.sandbox, "sandbox backend")->type_name("NAME");
    bench->add_option("--state", out.run.state, "folder for caches and scratch")->type_name("PATH");
    bench->add_flag("--json", out.json, "as JSON");

    CLI::App* help = command("help", "show help, of all or a command; with --man the manual page");
    positional(help, "COMMAND", out.topic, "a command");
    help->add_flag("--man", out.man, "the manual page, as roff");
}

void Parser::add_engine_commands() {
    CLI::App* engine = command(&app, "engine", "look into the engine and the models that it runs",
                               kEngineExitCodes);
    engine->require_subcommand(1);

    CLI::App* inspect = engine_command(
        engine, "inspect",
        "what a checkpoint holds: parameters, bytes, cache of a token, longest context");
    CLI::Option* check =
        inspect->add_flag("--check", out.engine.check, "read all weights, and look for NaN");
    inspect
        ->add_option("--headers", out.engine.headers,
                     "JSON of name, dtype and shape of all tensors, instead of the weights")
        ->type_name("FILE.json")
        ->excludes(check);
    inspect->add_flag("--json", out.json, "as JSON");

    CLI::App* tokenize = engine_command(
        engine, "tokenize",
        "standard input, a JSON string on each line, as lines of token ids; --decode: the reverse");
    CLI::Option* decode =
        tokenize->add_flag("--decode", out.engine.decode, "lines of ids to lines of JSON strings");
    tokenize
        ->add_flag("--keep-special", out.engine.keep_special, "with --decode: show special tokens")
        ->needs(decode);

    CLI::App* render = engine_command(
        engine, "render", "the prompt that the checkpoint's chat template makes of a conversation");
    render
        ->add_option("--conversation", out.engine.conversation,
                     "an object with messages, and where wanted tools, thinking_mode, ...")
        ->type_name("FILE.json")
        ->required();
    render->add_option("--template", out.engine.template_file, "instead of the checkpoint's own")
        ->type_name("FILE.jinja");
    render->add_flag(
        "--verbatim", out.engine.verbatim,
        "pass the messages on unchanged; else arguments that are text are decoded, and "
        "image_url and video_url become image and video");

    CLI::App* parse = engine_command(
        engine, "parse",
        "read a model's raw text on standard input; print its reasoning, content and tool calls");
    parse
        ->add_option("--tools", out.engine.tools,
                     "the tools given to the model: they type arguments")
        ->type_name("FILE.json")
        ->required();
    parse->add_option("--thinking-mode", out.engine.thinking_mode, "decides how the text begins")
        ->check(silent(CLI::IsMember({"adaptive", "enabled", "disabled"})))
        ->capture_default_str();

    add_generating_commands(engine);
    CLI::App* trace = engine_command(engine, "trace", "all that the model computes for a prompt");
    trace->add_option("--tokens", out.engine.tokens, "JSON list of token ids")
        ->type_name("FILE.json")
        ->required();
    list_option(trace, "--image", out.engine.images,
                "a picture that the ids have places for; repeat it in their order")
        ->type_name("FILE");
    list_option(trace, "--frame", out.engine.frames,
                "a frame of one video behind the pictures; repeat it in order of time")
        ->type_name("FILE");
    add_compute(trace, "f32");
    trace->add_option("--out", out.out, "file to write")->type_name("FILE.safetensors")->required();
    trace->add_option("--layers", out.engine.layers, "hidden states, blocks and experts, or not")
        ->type_name("all|none")
        ->check(silent(CLI::IsMember({"all", "none"})));
    trace->add_option("--rows", out.engine.rows, "positions that are written, such as 0,5,17")
        ->type_name("all|LIST");
    trace->add_option("--greedy", out.engine.greedy, "tokens of the greedy continuation; 32")
        ->type_name("N")
        ->check(from_to(0, kMostParallel));
}

// How it is computed, and by how many; without --compute as `otherwise` says.
void Parser::add_compute(CLI::App* sub, const std::string& otherwise) {
    sub->add_option("--compute", out.engine.compute,
                    "how activations are kept: f32 or bf16; " + otherwise)
        ->type_name("f32|bf16")
        ->check(silent(CLI::IsMember({"f32", "bf16"})));
    sub->add_option("--threads", out.engine.threads, "without: one for each processor")
        ->type_name("N")
        ->check(from_to(1, 1024));
}

void Parser::add_generating_commands(CLI::App* engine) {
    CLI::App* generate =
        engine_command(engine, "generate", "what the model says to a prompt, as it says it");
    CLI::Option* prompt =
        generate->add_option("--prompt", out.engine.prompt, "text, continued as it stands")
            ->type_name("TEXT");
    CLI::Option* tokens =
        generate->add_option("--tokens", out.engine.tokens, "JSON list of token ids instead")
            ->type_name("FILE.json");
    prompt->excludes(tokens);
    generate->add_flag("--chat", out.engine.chat, "the text is what a user says to the model")
        ->excludes(tokens);
    generate->add_option("--max-tokens", out.engine.max_tokens, "longest completion; 128")
        ->type_name("N")
        ->check(from_to(0, 1 << 30));
    CLI::Option* greedy =
        generate->add_flag("--greedy", out.engine.greedy_only, "always the most likely token");
    generate
        ->add_option("--temperature", out.engine.temperature, "without: as the model's files say")
        ->type_name("X")
        ->excludes(greedy);
    generate->add_option("--top-p", out.engine.top_p, "nucleus sampling")->type_name("X");
    generate->add_option("--top-k", out.engine.top_k, "top-k sampling")->type_name("N");
    generate->add_option("--seed", out.engine.seed, "of the draws; 1")->type_name("S");
    add_compute(generate, "bf16");
    generate->add_flag("--json", out.json, "ids, log-probabilities, text and times as JSON");

    CLI::App* perplexity =
        engine_command(engine, "perplexity", "how well the model foretells a text");
    perplexity->add_option("--text", out.engine.text, "UTF-8 text, as it stands")
        ->type_name("FILE")
        ->required();
    perplexity
        ->add_option("--window", out.engine.window,
                     "tokens of each part that is judged on its own; 4096")
        ->type_name("N")
        ->check(from_to(2, 1 << 30));
    add_compute(perplexity, "bf16");
    perplexity->add_flag("--json", out.json, "as JSON");
}

void Parser::add_serve_command() {
    CLI::App* serve = command(
        &app, "serve", "answer OpenAI and Anthropic requests with a model, see docs/serve.md",
        kServeExitCodes);
    serve->add_option("--model", out.serve.model, "model, see `assay list models`")
        ->type_name("SPEC")
        ->required();
    serve->add_option("--name", out.serve.name, "what clients call it; without: the spec")
        ->type_name("NAME");
    CLI::Option* listen =
        serve->add_option("--listen", out.serve.listen, "address; port 0 is any free one")
            ->type_name("ADDR:PORT")
            ->capture_default_str();
    serve->add_option("--socket", out.serve.socket, "a Unix socket, instead of an address")
        ->type_name("PATH")
        ->excludes(listen);
    serve->add_option("--parallel", out.serve.parallel, "calls at a time; others wait in order")
        ->type_name("N")
        ->check(from_to(1, 10'000))
        ->capture_default_str();
    serve
        ->add_option("--api-key-env", out.serve.api_key_env,
                     "variable with the key that clients must show; must be given where --listen "
                     "is more than this machine")
        ->type_name("NAME");
    list_option(serve, "--model-env", out.run.model_env,
                "variable for the model's provider, NAME or NAME=VALUE")
        ->type_name("NAME");
    serve
        ->add_option("--context-tokens", out.run.context_tokens, "context length of a served model")
        ->type_name("N")
        ->check(kNatural);
    serve->add_option("--model-timeout", out.run.model_timeout, "seconds for one model call")
        ->type_name("X")
        ->check(positive(kMostNumber));
}

Parser::Parser() {
    app.set_version_flag("--version", version_text());
    app.add_flag("--verbose", out.verbose, "log more, to standard error");
    app.require_subcommand(1);
    app.footer(kExitCodes);
    app.set_help_flag("-h,--help", "this text");
    add_run_commands();
    add_reading_commands();
    add_engine_commands();
    add_serve_command();
    add_other_commands();
}

const CLI::App* subcommand(const CLI::App* app, const std::string& name) {
    for (const CLI::App* sub : app->get_subcommands({}))
        if (sub->get_name() == name) return sub;
    return nullptr;
}

std::string full_name(const CLI::App* app) { // "assay engine inspect"
    if (app->get_parent() == nullptr) return app->get_name();
    return full_name(app->get_parent()) + " " + app->get_name();
}

// The command that the first words name, as deep as they do; the app itself if none.
const CLI::App* find_command(const CLI::App* app, const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        const CLI::App* sub = subcommand(app, word);
        if (sub == nullptr && !word.starts_with('-') && !app->get_subcommands({}).empty())
            throw Error(ErrorKind::Usage, full_name(app) + " has no command '" + word + "'")
                .hint("`" + full_name(app) + " --help` lists them");
        if (sub == nullptr) break;
        app = sub;
    }
    return app;
}

std::set<std::string> option_names(const CLI::App* command) {
    std::set<std::string> names;
    for (const CLI::Option* option : command->get_options())
        for (const std::string& name : option->get_lnames()) names.insert("--" + name);
    return names;
}

// The library's messages speak of its own terms.
std::string what_is_wrong(const CLI::ParseError& error, const CLI::App& app,
                          const std::string& command) {
    std::string message = error.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        std::string word = app.remaining(true).at(0);
        if (word.starts_with('-'))
            return command + " has no option " + word.substr(0, word.find('='));
        return command + " does not know what to do with '" + word + "'";
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr &&
        message.ends_with("missing"))
        return message.substr(0, message.find(':')) + " needs a value";
    return message;
}

} // namespace

ParseResult parse_arguments(const std::vector<std::string>& words) {
    Parser parser;
    const CLI::App* command = find_command(&parser.app, words);
    ConfiguredWords configured = with_config_file(words, option_names(command));
    std::reverse(configured.words.begin(), configured.words.end()); // what CLI11 wants
    try {
        parser.app.parse(configured.words);
    } catch (const CLI::CallForHelp&) {
        return {std::nullopt, parser.app.help(), 0};
    } catch (const CLI::CallForVersion&) {
        return {std::nullopt, version_text() + "\n", 0};
    } catch (const CLI::ParseError& e) {
        std::string name = full_name(command);
        std::string message = what_is_wrong(e, parser.app, name);
        std::string option = message.substr(0, message.find(':'));
        if (auto from = configured.origin.find(option); from != configured.origin.end())
            message = from->second + ": " + message;
        throw Error(ErrorKind::Usage, message).hint("see `" + name + " --help`");
    }
    parser.refuse_beside_plan();
    Arguments& out = parser.out;
    const CLI::App* chosen = parser.app.get_subcommands().at(0);
    out.command = chosen->get_name();
    if (out.command == "engine") out.engine.action = chosen->get_subcommands().at(0)->get_name();
    out.engine.checkpoint = parser.checkpoint;
    if (!parser.run_file.empty()) out.files.emplace_back(parser.run_file);
    for (const std::string& input : parser.inputs) out.files.emplace_back(input);
    return {std::move(out), "", 0};
}

namespace {

void add_to_manual(const CLI::App* app, const std::string& name, std::vector<ManCommand>& out) {
    for (const CLI::App* sub : app->get_subcommands({})) {
        std::string full = name + sub->get_name();
        if (!sub->get_subcommands({}).empty()) {
            add_to_manual(sub, full + " ", out);
            continue;
        }
        ManCommand command{full, sub->get_description(), {}};
        for (const CLI::Option* option : sub->get_options()) {
            std::string shown = option->get_name(false, true);
            if (option->get_positional())
                shown = option->get_name() + (option->get_expected_max() > 1 ? "..." : "");
            std::string value = option->get_type_size() == 0 ? "" : option->get_type_name();
            command.options.push_back({shown, value, option->get_description(),
                                       option->get_positional(), option->get_required()});
        }
        out.push_back(std::move(command));
    }
}

} // namespace

std::string man_page() {
    Parser parser;
    std::vector<ManCommand> commands;
    add_to_manual(&parser.app, "", commands);
    return render_man_page(commands);
}

} // namespace assay
