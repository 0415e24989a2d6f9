#include "assay/base/error.h"
#include "catch.h"
#include "task_toml.h"

using namespace assay;
using namespace assay::terminal_bench;

namespace {
std::string refusal(std::string_view text) {
    try {
        parse_task_toml(text, "task.toml");
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Input);
        return e.message();
    }
    return "";
}
} // namespace

TEST_CASE("a task.toml of schema 1.0, as Terminal-Bench 2.0 has them") {
    TaskToml toml = parse_task_toml(R"(version = "1.0"
[metadata]
author_name = "A"
difficulty = "easy"
tags = ["x", "y"]
expert_time_estimate_min = 20.0
[verifier]
timeout_sec = 900.0
[agent]
timeout_sec = 750
[environment]
build_timeout_sec = 600.0
docker_image = "someone/task:20251031"
cpus = 1
memory = "2G"
storage = "512M"
)",
                                    "task.toml");
    CHECK(toml.schema_version == "1.0");
    CHECK(toml.verifier.timeout == 900);
    CHECK(*toml.agent.timeout == 750);
    CHECK(toml.environment.docker_image == "someone/task:20251031");
    CHECK(*toml.environment.memory_mb == 2048);
    CHECK(*toml.environment.storage_mb == 512);
    CHECK(*toml.environment.cpus == 1);
    CHECK_FALSE(toml.environment.network.mode);
    CHECK(toml.metadata.find("\"difficulty\"") != std::string::npos);
    CHECK(toml.unknown_keys.empty());
}

TEST_CASE("every key of schema 1.4") {
    TaskToml toml = parse_task_toml(R"(schema_version = "1.4"
source = "here"
multi_step_reward_strategy = "final"
artifacts = ["/app/out", {source = "/x", destination = "y", exclude = ["*.o"], service = "main"}]
[task]
name = "org/some-task"
version = "2"
description = "d"
authors = [{name = "A", email = "a@b.test"}, {name = "B"}]
keywords = ["k"]
[agent]
user = 1000
network_mode = "allowlist"
allowed_hosts = ["*.example.test"]
[verifier]
user = "tester"
environment_mode = "separate"
network_mode = "no-network"
[verifier.env]
TOKEN = "${TOKEN:-none}"
[verifier.environment]
docker_image = "img"
[[verifier.collect]]
command = "dump"
timeout_sec = 5
user = "root"
[solution.env]
A = "1"
[environment]
os = "linux"
gpus = 0
gpu_types = ["h100"]
skills_dir = "/skills"
workdir = "/work"
memory_mb = 4096
memory = "1G"
network_mode = "no-network"
tpu = {type = "v5", topology = "2x2"}
[environment.env]
B = "2"
[environment.healthcheck]
command = "true"
interval_sec = 1
timeout_sec = 2
start_period_sec = 3
start_interval_sec = 4
retries = 5
[[environment.mcp_servers]]
name = "m"
transport = "http"
url = "http://localhost/mcp"
[[environment.mcp_servers]]
name = "n"
transport = "stdio"
command = "run"
args = ["-x"]
[[steps]]
name = "one"
min_reward = 0.5
artifacts = ["/z"]
[steps.agent]
timeout_sec = 1
[[steps]]
name = "two"
min_reward = {reward = 1, speed = 0.25}
)",
                                    "task.toml");
    CHECK(toml.task->name == "org/some-task");
    CHECK(toml.task->authors.size() == 2);
    CHECK(toml.agent.user == "1000");
    CHECK(*toml.agent.network.mode == "allowlist");
    CHECK(toml.verifier.separate);
    CHECK(toml.verifier.env.at("TOKEN") == "${TOKEN:-none}");
    CHECK(toml.verifier.environment->docker_image == "img");
    REQUIRE(toml.verifier.collect.size() == 1);
    CHECK(toml.verifier.collect[0].service == "main");
    CHECK(toml.verifier.collect[0].timeout == 5);
    CHECK(*toml.environment.memory_mb == 4096); // the new spelling wins
    CHECK(toml.environment.tpu->topology == "2x2");
    CHECK(toml.environment.healthcheck->retries == 5);
    REQUIRE(toml.environment.mcp_servers.size() == 2);
    CHECK(toml.environment.mcp_servers[0].transport == "streamable-http");
    CHECK(toml.environment.mcp_servers[1].args == std::vector<std::string>{"-x"});
    REQUIRE(toml.artifacts.size() == 2);
    CHECK(toml.artifacts[1].exclude == std::vector<std::string>{"*.o"});
    REQUIRE(toml.steps.size() == 2);
    CHECK(toml.steps[0].min_reward.at("reward") == 0.5);
    CHECK(toml.steps[1].min_reward.at("speed") == 0.25);
    CHECK(toml.unknown_keys.empty());
}

TEST_CASE("defaults, legacy keys and unknown keys") {
    TaskToml empty = parse_task_toml("", "task.toml");
    CHECK(empty.schema_version == "1.4");
    CHECK(empty.environment.build_timeout == 600);
    CHECK_FALSE(empty.agent.timeout);
    CHECK_FALSE(empty.environment.cpus);
    TaskToml old =
        parse_task_toml("[environment]\nallow_internet = false\nmemory = \"64K\"\n", "task.toml");
    CHECK(*old.environment.network.mode == "no-network");
    CHECK(*old.environment.memory_mb == 0);
    TaskToml both = parse_task_toml(
        "[environment]\nallow_internet = false\nnetwork_mode = \"public\"\n", "task.toml");
    CHECK(*both.environment.network.mode == "public");
    TaskToml odd = parse_task_toml("colour = 1\nmulti_step_reward_mode = \"mean\"\n"
                                   "[environment]\nshape = \"round\"\n[metadata]\nanything = 1\n",
                                   "task.toml");
    CHECK(odd.unknown_keys == std::vector<std::string>{"environment.shape", "colour"});
}

TEST_CASE("what is wrong in a task.toml is named with line and column") {
    CHECK(refusal("version = \"1.0\"\n[agent\n").find("task.toml:2:7:") == 0);
    CHECK(refusal("[agent]\ntimeout_sec = \"long\"\n") ==
          "task.toml:2:15: agent.timeout_sec must be a number");
    CHECK(refusal("schema_version = \"9\"\n") ==
          "task.toml:1:18: schema_version is '9'; known are 1.0 to 1.4");
    CHECK(refusal("[environment]\nmemory = \"much\"\n") ==
          "task.toml:2:10: environment.memory must be a size such as \"2G\" or \"512M\"");
    CHECK(refusal("[environment]\nos = \"plan9\"\n") ==
          "task.toml:2:6: environment.os is 'plan9'; possible: linux, windows");
    CHECK(refusal("[verifier]\nenvironment_mode = \"shared\"\n[verifier.environment]\n")
              .find("environment_mode") != std::string::npos);
    CHECK(refusal("[task]\nname = \"no-organisation\"\n").find("organisation/name") !=
          std::string::npos);
    CHECK(refusal("[[environment.mcp_servers]]\nname = \"x\"\n").find("url is missing") !=
          std::string::npos);
    CHECK(refusal("agent = 1\n") == "task.toml:1:9: agent must be a table");
    CHECK(refusal("[agent]\ntimeout_sec = inf\n").find("between 0 and") != std::string::npos);
    CHECK(refusal("[agent]\ntimeout_sec = -1\n").find("between 0 and") != std::string::npos);
    CHECK(refusal("a = \"\xff\"\n") == "task.toml: not valid UTF-8");
    CHECK(refusal("artifacts = [1]\n").find("texts or tables") != std::string::npos);
}
