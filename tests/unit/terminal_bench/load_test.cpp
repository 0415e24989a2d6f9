#include "assay/base/error.h"
#include "catch.h"
#include "harbor_task.h"

using namespace assay;
using namespace assay::terminal_bench;

namespace {

void write(const Path& path, std::string_view text) {
    std::filesystem::create_directories(path.parent_path());
    RealFileSystem().write(path, text, 0644);
}

struct Folder {
    TempFolder area;
    Path add(const std::string& name, const std::string& toml = "version = \"1.0\"\n") {
        Path task = area.path() / name;
        write(task / "task.toml", toml);
        write(task / "instruction.md", "<!-- canary -->\n\nDo " + name + ".\n");
        write(task / "environment/Dockerfile", "FROM assay/host\nUSER app:app\n");
        write(task / "tests/test.sh", "#!/bin/sh\n");
        return task;
    }
    std::unique_ptr<TaskSet> load(const TaskFilter& filter = {}) {
        auto host = [](const std::string&) { return std::optional<std::string>(); };
        return load_tasks(area.path(), filter, {.host = host});
    }
    std::string reason(const std::string& name) {
        auto set = load();
        for (const auto& [task, why] : set->refused())
            if (task == name) return why;
        return "";
    }
};

const HarborTask& open(TaskSet& set, std::size_t index = 0) {
    return static_cast<const HarborTask&>(*set.open(index));
}

} // namespace

TEST_CASE("a folder of tasks, or one of them") {
    Folder folder;
    folder.add("b-task");
    folder.add("a-task");
    write(folder.area.path() / "README.md", "not a task");
    auto set = folder.load();
    REQUIRE(set->headers().size() == 2);
    CHECK(set->headers()[0].id == "a-task");
    CHECK(set->headers()[0].digest.find("sha256:") == 0);
    CHECK(open(*set).instruction == "Do a-task.\n");
    CHECK(folder.load({.include = {"b-*"}, .exclude = {}})->headers().size() == 1);
    auto host = [](const std::string&) { return std::optional<std::string>(); };
    auto one = load_tasks(folder.area.path() / "b-task/", {}, {.host = host});
    REQUIRE(one->headers().size() == 1);
    CHECK(one->headers()[0].id == "b-task");
    TempFolder empty;
    CHECK_THROWS_AS(load_tasks(empty.path(), {}, {.host = host}), Error);
    CHECK_THROWS_AS(load_tasks("/no/such/folder", {}, {.host = host}), Error);
}

TEST_CASE("a task's table becomes limits, claim and sandbox") {
    Folder folder;
    folder.add("t", R"(version = "1.0"
[agent]
timeout_sec = 900
user = "agent"
[verifier]
timeout_sec = 120
[environment]
build_timeout_sec = 300
docker_image = "someone/t:1"
cpus = 2
memory = "4G"
env = {A = "1"}
)");
    auto set = folder.load();
    const HarborTask& task = open(*set);
    using namespace std::chrono_literals;
    CHECK(*task.limits.agent == 900s);
    CHECK(*task.limits.verify == 120s);
    CHECK(*task.limits.environment_start == 300s);
    CHECK(*task.limits.agent_setup == 360s);
    CHECK(task.claim.cpus == 2);
    CHECK(task.claim.memory_bytes == 4096ull << 20);
    const SandboxSpec& spec = task.environment.sandboxes.at(0);
    CHECK(spec.base.kind == BaseSpec::Kind::Dockerfile);
    CHECK(spec.user == "agent");
    CHECK(spec.network.mode == NetworkMode::Public);
    CHECK(*spec.limits.memory_bytes == 4096ull << 20);
    CHECK(spec.environment.at("A") == "1");
    CHECK(task.image_user == "app");
    REQUIRE(task.deviations.size() == 1); // the published image was not used
    CHECK(task.deviations[0].find("someone/t:1") != std::string::npos);
}

TEST_CASE("an image without a Dockerfile, and a separate verifier") {
    Folder folder;
    Path image = folder.add("image", "[environment]\ndocker_image = \"ubuntu:24.04\"\n");
    std::filesystem::remove(image / "environment/Dockerfile");
    Path sealed = folder.add("sealed", "[verifier]\nenvironment_mode = \"separate\"\n");
    write(sealed / "tests/Dockerfile", "FROM assay/host\n");
    auto set = folder.load();
    REQUIRE(set->headers().size() == 2);
    CHECK(open(*set, 0).prebuilt);
    CHECK(open(*set, 0).environment.sandboxes[0].base.name == "ubuntu:24.04");
    REQUIRE(open(*set, 1).later_environments.size() == 1);
    const SandboxSpec& verifier = open(*set, 1).later_environments[0].sandboxes[0];
    CHECK(verifier.base.context == sealed / "tests");
    CHECK(seconds(*open(*set, 1).limits.environment_start) == 1200); // both are built first
    CHECK(open(*set, 1).claim.sandboxes == 2);
}

TEST_CASE("the networks of later phases are listed, to be checked before the agent runs") {
    Folder folder;
    folder.add("agent", "[agent]\nnetwork_mode = \"no-network\"\n");
    folder.add("both",
               "[agent]\nnetwork_mode = \"no-network\"\n"
               "[verifier]\nnetwork_mode = \"allowlist\"\nallowed_hosts = [\"a.example\"]\n");
    folder.add("neither");
    auto set = folder.load();
    REQUIRE(set->headers().size() == 3);
    const auto& agent = open(*set, 0).later_networks;
    REQUIRE(agent.size() == 2); // and back to the environment's for the verifier
    CHECK(agent[0].mode == NetworkMode::None);
    CHECK(agent[1].mode == NetworkMode::Public);
    const auto& both = open(*set, 1).later_networks;
    REQUIRE(both.size() == 2);
    CHECK(both[1].mode == NetworkMode::AllowList);
    CHECK(both[1].allowed == std::vector<std::string>{"a.example"});
    CHECK(open(*set, 2).later_networks.empty());
}

TEST_CASE("what is not supported is refused by name, and the others go on") {
    Folder folder;
    folder.add("good");
    Path compose = folder.add("compose");
    write(compose / "environment/docker-compose.yaml", "services: {}\n");
    folder.add("steps", "[[steps]]\nname = \"a\"\n");
    folder.add("windows", "[environment]\nos = \"windows\"\n");
    folder.add("gpu", "[environment]\ngpus = 1\n");
    folder.add("tpu", "[environment]\ntpu = {type = \"v5\"}\n");
    folder.add("mcp", "[[environment.mcp_servers]]\nname = \"m\"\nurl = \"http://x\"\n");
    folder.add("variable", "[environment]\nenv = {KEY = \"${NOT_SET_ANYWHERE}\"}\n");
    auto set = folder.load();
    REQUIRE(set->headers().size() == 1);
    CHECK(set->refused().size() == 7);
    CHECK(folder.reason("compose").find("compose tasks") == 0);
    CHECK(folder.reason("steps").find("multi-step") == 0);
    CHECK(folder.reason("windows").find("Windows") != std::string::npos);
    CHECK(folder.reason("gpu").find("GPU") != std::string::npos);
    CHECK(folder.reason("tpu").find("TPU") != std::string::npos);
    CHECK(folder.reason("mcp").find("MCP") != std::string::npos);
    CHECK(folder.reason("variable").find("NOT_SET_ANYWHERE") != std::string::npos);
}

TEST_CASE("broken folders give one clear message each") {
    Folder folder;
    folder.add("good");
    std::filesystem::remove(folder.add("no-test") / "tests/test.sh");
    write(folder.add("empty-test") / "tests/test.sh", "");
    std::filesystem::remove(folder.add("no-instruction") / "instruction.md");
    write(folder.add("empty-instruction") / "instruction.md", "");
    write(folder.add("blank-instruction") / "instruction.md", " \n\t\n");
    write(folder.add("canary-only") / "instruction.md", "<!-- harbor-canary GUID 1 -->\n\n");
    std::filesystem::remove(folder.add("no-toml") / "task.toml");
    write(folder.add("latin") / "instruction.md", "caf\xe9\n");
    std::filesystem::remove(folder.add("no-docker") / "environment/Dockerfile");
    std::filesystem::remove_all(folder.add("no-environment") / "environment");
    folder.add("syntax", "version = \n");
    folder.add("type", "[agent]\ntimeout_sec = []\n");
    Path cyclic = folder.add("cyclic");
    std::filesystem::remove(cyclic / "task.toml");
    std::filesystem::create_symlink("task.toml", cyclic / "task.toml");
    Path round = folder.add("round");
    std::filesystem::remove(round / "tests/test.sh");
    std::filesystem::create_symlink("test.sh", round / "tests/test.sh");
    auto set = folder.load();
    REQUIRE(set->headers().size() == 1);
    CHECK(set->refused().size() == 14);
    auto says = [&](const char* name, const char* text) {
        INFO(name << ": " << folder.reason(name));
        CHECK(folder.reason(name).find(text) != std::string::npos);
    };
    says("no-test", "test.sh: missing");
    says("empty-test", "test.sh: empty");
    says("no-instruction", "instruction.md: missing");
    says("empty-instruction", "instruction.md: empty");
    says("blank-instruction", "instruction.md: empty");
    says("canary-only", "instruction.md: empty");
    says("no-toml", "task.toml: missing");
    says("latin", "not valid UTF-8");
    says("no-docker", "neither a Dockerfile nor a docker_image");
    says("no-environment", "environment: missing");
    says("syntax", "task.toml:1:");
    says("type", "task.toml:2:15: agent.timeout_sec must be a number");
    says("cyclic", "symbolic links");
    says("round", "test.sh");
}
