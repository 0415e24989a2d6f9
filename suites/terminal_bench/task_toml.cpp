#include "task_toml.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "toml_reader.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <sstream>

namespace assay::terminal_bench {

namespace {

// The old spelling of sizes: "2G" is 2048 MB, "512M", "64K".
std::optional<std::uint64_t> megabytes(std::string_view text) {
    text = trim(text);
    if (text.empty()) return std::nullopt;
    double unit = 0;
    switch (std::toupper(static_cast<unsigned char>(text.back()))) {
    case 'G':
        unit = 1024;
        break;
    case 'M':
        unit = 1;
        break;
    case 'K':
        unit = 1.0 / 1024;
        break;
    default:
        return std::nullopt;
    }
    text.remove_suffix(1);
    if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos ||
        text.size() > 12)
        return std::nullopt;
    double value = 0;
    try {
        value = std::stod(std::string(text));
    } catch (const std::exception&) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::floor(value * unit));
}

void read_size(TomlReader& in, std::string_view key, std::string_view old_key,
               std::optional<std::uint64_t>& out) {
    std::string text;
    in.text(old_key, text);
    if (!text.empty()) {
        out = megabytes(text);
        if (!out) in.fail(old_key, "must be a size such as \"2G\" or \"512M\"");
    }
    in.count(key, out);
}

void read_network(TomlReader& in, Network& out) {
    std::string mode;
    in.choice("network_mode", mode, {"public", "no-network", "allowlist"});
    if (!mode.empty()) out.mode = mode;
    in.texts("allowed_hosts", out.allowed_hosts);
}

void read_healthcheck(TomlReader& in, std::optional<Healthcheck>& out) {
    in.table("healthcheck", [&](TomlReader& check) {
        out.emplace();
        check.require("command");
        check.text("command", out->command);
        check.number("interval_sec", out->interval);
        check.number("timeout_sec", out->timeout);
        check.number("start_period_sec", out->start_period);
        check.number("start_interval_sec", out->start_interval);
        check.small("retries", out->retries);
    });
}

void read_mcp_server(TomlReader& in, EnvironmentTable& out) {
    McpServer server;
    in.require("name");
    in.text("name", server.name);
    in.choice("transport", server.transport, {"sse", "streamable-http", "http", "stdio"});
    if (server.transport == "http") server.transport = "streamable-http";
    in.text("url", server.url);
    in.text("command", server.command);
    in.texts("args", server.args);
    in.require(server.transport == "stdio" ? "command" : "url");
    out.mcp_servers.push_back(std::move(server));
}

void read_environment(TomlReader& in, EnvironmentTable& out) {
    in.number("build_timeout_sec", out.build_timeout);
    in.text("docker_image", out.docker_image);
    in.choice("os", out.os, {"linux", "windows"});
    in.number("cpus", out.cpus);
    read_size(in, "memory_mb", "memory", out.memory_mb);
    read_size(in, "storage_mb", "storage", out.storage_mb);
    int gpus = -1;
    in.small("gpus", gpus);
    if (gpus >= 0) out.gpus = gpus;
    in.texts("gpu_types", out.gpu_types);
    in.table("tpu", [&](TomlReader& tpu) {
        out.tpu.emplace();
        tpu.text("type", out.tpu->type);
        tpu.text("topology", out.tpu->topology);
    });
    in.tables("mcp_servers", [&](TomlReader& server) { read_mcp_server(server, out); });
    in.variables("env", out.env);
    in.text("skills_dir", out.skills_dir);
    read_healthcheck(in, out.healthcheck);
    in.text("workdir", out.workdir);
    std::optional<bool> internet;
    in.flag("allow_internet", internet);
    read_network(in, out.network);
    if (internet == false && !out.network.mode) out.network.mode = "no-network";
}

void read_agent(TomlReader& in, AgentTable& out) {
    in.number("timeout_sec", out.timeout);
    in.text_or_number("user", out.user);
    read_network(in, out.network);
}

void read_verifier(TomlReader& in, VerifierTable& out) {
    in.number("timeout_sec", out.timeout);
    in.variables("env", out.env);
    in.text_or_number("user", out.user);
    read_network(in, out.network);
    std::string mode;
    in.choice("environment_mode", mode, {"shared", "separate"});
    in.table("environment", [&](TomlReader& environment) {
        out.environment.emplace();
        read_environment(environment, *out.environment);
    });
    if (out.environment && mode == "shared")
        in.fail("environment_mode", "is \"shared\", but there is a [verifier.environment]");
    out.separate = mode == "separate" || out.environment.has_value();
    in.tables("collect", [&](TomlReader& hook) {
        CollectHook one;
        hook.require("command");
        hook.text("command", one.command);
        hook.text("service", one.service);
        hook.number("timeout_sec", one.timeout);
        hook.text_or_number("user", one.user);
        out.collect.push_back(std::move(one));
    });
}

// Strings or tables; TomlReader has no mixed arrays.
void read_artifacts(TomlReader& in, const std::string& file, std::vector<std::string>& unknown,
                    std::vector<ArtifactEntry>& out) {
    const toml::node* at = in.node("artifacts");
    if (!at) return;
    if (!at->is_array()) in.fail("artifacts", "must be an array");
    for (const toml::node& one : *at->as_array()) {
        ArtifactEntry entry;
        if (one.is_string()) {
            entry.source = one.as_string()->get();
        } else if (one.is_table()) {
            TomlReader inner(*one.as_table(), file, "artifacts", unknown);
            inner.require("source");
            inner.text("source", entry.source);
            inner.text("destination", entry.destination);
            inner.texts("exclude", entry.exclude);
            inner.text("service", entry.service);
            inner.finish();
        } else {
            in.fail("artifacts", "must hold texts or tables");
        }
        if (entry.source.empty() || entry.source.find('\0') != std::string::npos)
            in.fail("artifacts", "has an entry without a source");
        out.push_back(std::move(entry));
    }
}

void read_task_table(TomlReader& in, TaskTable& out) {
    in.require("name");
    in.text("name", out.name);
    in.text("version", out.version);
    in.text("description", out.description);
    in.texts("keywords", out.keywords);
    in.tables("authors", [&](TomlReader& author) {
        std::pair<std::string, std::string> one;
        author.require("name");
        author.text("name", one.first);
        author.text("email", one.second);
        out.authors.push_back(std::move(one));
    });
    auto word = [](std::string_view part) {
        if (part.empty() || !std::isalnum(static_cast<unsigned char>(part[0]))) return false;
        for (char c : part)
            if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-')
                return false;
        return true;
    };
    auto parts = split(out.name, '/');
    if (parts.size() != 2 || !word(parts[0]) || !word(parts[1]))
        in.fail("name", "must be of the form organisation/name");
}

void read_min_reward(TomlReader& in, std::map<std::string, double>& out) {
    const toml::node* at = in.node("min_reward");
    if (!at) return;
    auto number = [&](const toml::node& value) {
        auto out_value = value.value<double>();
        if (!out_value) in.fail("min_reward", "must be a number or a table of numbers");
        return *out_value;
    };
    if (!at->is_table()) {
        out["reward"] = number(*at);
        return;
    }
    for (const auto& [key, value] : *at->as_table()) out[std::string(key.str())] = number(value);
}

void read_schema(TomlReader& in, std::string& out) {
    in.text("version", out); // the name before 1.1
    in.text("schema_version", out);
    for (const char* known : {"1.0", "1.1", "1.2", "1.3", "1.4"})
        if (out == known) return;
    in.fail(in.has("schema_version") ? "schema_version" : "version",
            "is '" + utf8_clean(out) + "'; known are 1.0 to 1.4");
}

std::string to_json(const toml::node* node) {
    if (!node || !node->is_table()) return "{}";
    std::ostringstream out;
    out << toml::json_formatter{*node->as_table()};
    return utf8_clean(out.str());
}

} // namespace

TaskToml parse_task_toml(std::string_view text, const std::string& file) {
    if (!utf8_valid(text)) throw Error(ErrorKind::Input, file + ": not valid UTF-8");
    toml::table root;
    try {
        root = toml::parse(text, file);
    } catch (const toml::parse_error& e) {
        throw Error(ErrorKind::Input, fmt::format("{}:{}:{}: {}", file, e.source().begin.line,
                                                  e.source().begin.column, e.description()));
    }
    TaskToml out;
    TomlReader in(root, file, "", out.unknown_keys);
    read_schema(in, out.schema_version);
    in.table("task", [&](TomlReader& task) {
        out.task.emplace();
        read_task_table(task, *out.task);
    });
    out.metadata = to_json(in.node("metadata"));
    in.table("verifier", [&](TomlReader& table) { read_verifier(table, out.verifier); });
    in.table("agent", [&](TomlReader& table) { read_agent(table, out.agent); });
    in.table("environment", [&](TomlReader& table) { read_environment(table, out.environment); });
    in.table("solution", [&](TomlReader& table) { table.variables("env", out.solution_env); });
    in.text("source", out.source);
    in.choice("multi_step_reward_strategy", out.multi_step_reward_strategy, {"mean", "final"});
    in.ignore("multi_step_reward_mode"); // before 1.3; Harbor drops it as well
    read_artifacts(in, file, out.unknown_keys, out.artifacts);
    in.tables("steps", [&](TomlReader& table) {
        Step step;
        table.require("name");
        table.text("name", step.name);
        table.table("agent", [&](TomlReader& inner) { read_agent(inner, step.agent); });
        table.table("verifier", [&](TomlReader& inner) { read_verifier(inner, step.verifier); });
        read_min_reward(table, step.min_reward);
        read_healthcheck(table, step.healthcheck);
        read_artifacts(table, file, out.unknown_keys, step.artifacts);
        out.steps.push_back(std::move(step));
    });
    in.finish();
    return out;
}

} // namespace assay::terminal_bench
