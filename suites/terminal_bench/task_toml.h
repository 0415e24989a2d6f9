// task.toml of Harbor, schema 1.0 to 1.4, as data: every key, with Harbor's defaults, the legacy
// spellings mapped to the new ones. Errors name file, line and column. Unknown keys are ignored, as
// Harbor does, and listed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::terminal_bench {

using Variables = std::map<std::string, std::string>;

struct Network {
    std::optional<std::string> mode; // "public", "no-network", "allowlist"; absent: not overridden
    std::vector<std::string> allowed_hosts;
};

struct Healthcheck { // Docker's meaning
    std::string command;
    double interval = 5, timeout = 30, start_period = 0, start_interval = 5;
    int retries = 3;
};

struct McpServer {
    std::string name;
    std::string transport = "sse"; // or "streamable-http", "stdio"
    std::string url, command;
    std::vector<std::string> args;
};

struct Tpu {
    std::string type, topology;
};

struct EnvironmentTable {
    double build_timeout = 600;
    std::string docker_image; // empty: none
    std::string os = "linux";
    std::optional<double> cpus;
    std::optional<std::uint64_t> memory_mb, storage_mb;
    std::optional<int> gpus;
    std::vector<std::string> gpu_types;
    std::optional<Tpu> tpu;
    std::vector<McpServer> mcp_servers;
    Variables env; // templates, see templates.h
    std::string skills_dir;
    std::optional<Healthcheck> healthcheck;
    std::string workdir;
    Network network;
};

struct AgentTable {
    std::optional<double> timeout; // absent: no limit
    std::string user;
    Network network; // while the agent runs, not during its set-up
};

struct CollectHook {
    std::string command;
    std::string service = "main";
    double timeout = 60;
    std::string user;
};

struct VerifierTable {
    double timeout = 600;
    Variables env;
    std::string user;
    Network network;
    bool separate = false;
    std::optional<EnvironmentTable> environment; // implies separate
    std::vector<CollectHook> collect;
};

struct ArtifactEntry {
    std::string source, destination, service; // destination empty: mirrors the source
    std::vector<std::string> exclude;
};

struct Step { // [[steps]]: read so that mistakes are found, not run
    std::string name;
    AgentTable agent;
    VerifierTable verifier;
    std::optional<Healthcheck> healthcheck;
    std::vector<ArtifactEntry> artifacts;
    std::map<std::string, double> min_reward; // a plain number is under "reward"
};

struct TaskTable { // [task], since 1.1
    std::string name, version, description;
    std::vector<std::pair<std::string, std::string>> authors; // name, e-mail
    std::vector<std::string> keywords;
};

struct TaskToml {
    std::string schema_version = "1.4";
    std::optional<TaskTable> task;
    std::string metadata = "{}"; // JSON
    VerifierTable verifier;
    AgentTable agent;
    EnvironmentTable environment;
    Variables solution_env;
    std::string source;
    std::string multi_step_reward_strategy = "mean";
    std::vector<Step> steps;
    std::vector<ArtifactEntry> artifacts;
    std::vector<std::string> unknown_keys; // "environment.colour"
};

TaskToml parse_task_toml(std::string_view text, const std::string& file); // Error(Input)

} // namespace assay::terminal_bench
