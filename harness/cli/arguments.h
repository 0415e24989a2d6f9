// The command line as data. CLI11 is included in arguments.cpp alone (4.5 s an include); a config
// file is turned into arguments before they are parsed, see config_file.h.
#pragma once

#include "assay/base/fs.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct RunArguments { // run, plan, resume; what is absent is the task's or the plan's
    std::string suite;
    std::string tasks; // --tasks
    std::vector<std::string> task_globs, exclude_globs;
    std::vector<std::string> agents, models;
    std::string judge;
    int attempts = 1;
    std::uint64_t seed = 0;
    std::string sandbox, base, image_map, verifier, clock;
    std::vector<std::string> suite_settings, agent_settings; // key=value
    double timeout_multiplier = 1;
    std::optional<int> max_turns;
    std::optional<std::uint64_t> max_tokens;
    std::optional<double> max_attempt_cost, max_seconds;
    std::optional<std::uint64_t> context_tokens;
    std::optional<int> logprobs;
    std::optional<std::uint64_t> keep_layer; // bytes

    int jobs = 0; // 0: one for each processor
    int retries = 2;
    std::optional<double> max_cost; // infinite: "none"
    std::string prices;
    std::vector<std::string> model_env;
    int connections = 0; // 0: found by itself
    double model_timeout = 600;
    std::optional<double> cpus, memory_gib;
    std::string state;
    std::string plan, shard, out;
    bool dry_run = false, quiet = false;
};

struct EngineArguments {
    std::string action;  // "inspect", ...
    Path checkpoint;     // folder
    std::string headers; // inspect
    bool check = false;
    bool decode = false, keep_special = false; // tokenize
    Path conversation, template_file;          // render
    bool verbatim = false;                     // render
    Path tools;                                // parse
    std::string thinking_mode = "adaptive";    // parse
    std::string tokens;                        // trace, generate: JSON file of ids
    std::string prompt;                        // generate
    bool chat = false, greedy_only = false;    // generate
    std::int64_t max_tokens = 128;             // generate
    std::uint64_t seed = 1;                    // generate
    std::optional<double> temperature, top_p;  // generate
    std::optional<int> top_k;                  // generate
    Path text;                                 // perplexity
    std::int64_t window = 4096;                // perplexity
    std::string compute, layers = "all", rows = "all";
    std::vector<std::string> images, frames; // trace: files
    int greedy = 32;
    int threads = 0; // 0: one for each processor
};

struct ServeArguments {
    std::string model, name;
    std::string listen = "127.0.0.1:8000";
    Path socket; // instead of listen
    int parallel = 8;
    std::string api_key_env;
};

struct Arguments {
    std::string command;            // "run", "bench", ...
    RunArguments run;               // run, plan, resume, shell
    std::vector<Path> files;        // merge, report: inputs; resume, show, export: the run
    std::string what;               // list: registry or run; bench: what to measure
    std::vector<std::string> topic; // help: a command, or two words
    std::string task;               // show, shell
    std::optional<int> attempt;     // show
    std::string out, format;        // merge, report, export
    std::string title;              // report
    bool json = false;
    bool verbose = false;
    bool man = false;                       // help --man
    std::vector<std::string> shell_command; // shell: instead of an interactive one
    double bench_seconds = 3;
    int bench_jobs = 0;
    EngineArguments engine;
    ServeArguments serve;
};

struct ParseResult {
    std::optional<Arguments> arguments; // absent: print `text` and exit with `code`
    std::string text;
    int code = 0;
};

ParseResult parse_arguments(const std::vector<std::string>& words); // without argv[0]

// docs/assay.1, made from the same definitions as --help.
std::string man_page();

inline constexpr int kExitUsage = 64, kExitStopped = 130;

} // namespace assay
