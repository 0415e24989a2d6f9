#include "harbor_task.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/redact.h"
#include "assay/base/text.h"
#include "digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace assay::terminal_bench {

namespace stdfs = std::filesystem;

namespace {

constexpr std::uint64_t kTextLimit = 4 << 20;

std::string read_text(const Path& path) {
    RealFileSystem files;
    if (!files.exists(path)) throw Error(ErrorKind::Input, path.string() + ": missing");
    try {
        return files.read(path, kTextLimit);
    } catch (Error& e) { // a folder, a link in a circle, no permission
        throw Error(ErrorKind::Input, e.message());
    }
}

void refuse_unsupported(const TaskToml& toml, const Path& folder) {
    auto refuse = [](const std::string& what) {
        throw Error(ErrorKind::Unsupported, what + " are not supported");
    };
    RealFileSystem files;
    for (const char* name : {"docker-compose.yaml", "docker-compose.yml", "compose.yaml"})
        if (files.exists(folder / "environment" / name))
            refuse(std::string("compose tasks (environment/") + name + ")");
    if (!toml.steps.empty()) refuse("multi-step tasks ([[steps]])");
    if (toml.environment.os != "linux") refuse("tasks for Windows");
    if (toml.environment.gpus.value_or(0) > 0) refuse("tasks that need GPUs");
    if (toml.environment.tpu) refuse("tasks that need TPUs");
    if (!toml.environment.mcp_servers.empty()) refuse("tasks with MCP servers of their own");
    if (files.exists(folder / "trajectory.json"))
        refuse("tasks that go on from a trajectory (trajectory.json)");
}

ResourceLimits limits(const EnvironmentTable& table) {
    ResourceLimits out; // storage is declared, not enforced: as Harbor's Docker provider does
    out.cpus = table.cpus;
    if (table.memory_mb) out.memory_bytes = *table.memory_mb << 20;
    return out;
}

SandboxSpec sandbox_spec(const EnvironmentTable& table, const Path& context,
                         const LoadOptions& options, const std::string& where) {
    SandboxSpec spec;
    if (stdfs::exists(context / "Dockerfile")) {
        spec.base = {BaseSpec::Kind::Dockerfile, {}, context, context / "Dockerfile"};
    } else if (!table.docker_image.empty()) {
        spec.base = {BaseSpec::Kind::Image, table.docker_image, {}, {}};
    } else {
        throw Error(ErrorKind::Input, where + ": neither a Dockerfile nor a docker_image");
    }
    spec.environment = resolve(table.env, options.host, where);
    spec.workdir = table.workdir;
    spec.limits = limits(table);
    spec.network = network_policy(table.network);
    return spec;
}

// Good enough for a default: a USER with a variable is left to the image.
std::string last_user(const Path& dockerfile) {
    std::string user;
    if (!stdfs::exists(dockerfile)) return user;
    std::string text = read_text(dockerfile);
    for (std::string_view line : split_lines(text)) {
        line = trim(line);
        if (starts_with_nocase(line, "FROM ")) user.clear();
        if (starts_with_nocase(line, "USER ")) user = std::string(trim(line.substr(5)));
    }
    return user.find('$') == std::string::npos ? user.substr(0, user.find(':')) : std::string();
}

void check_files(const HarborTask& task) {
    RealFileSystem files;
    if (!stdfs::is_directory(task.folder / "environment"))
        throw Error(ErrorKind::Input, (task.folder / "environment").string() + ": missing");
    if (task.toml.verifier.separate) return; // its image holds the tests
    Path script = task.tests() / "test.sh";
    auto info = files.info(script);
    if (!info) throw Error(ErrorKind::Input, script.string() + ": missing");
    std::error_code code;
    if (!stdfs::is_regular_file(script, code))
        throw Error(ErrorKind::Input, script.string() + ": not a file" +
                                          (code ? ": " + code.message() : std::string()));
    if (stdfs::file_size(script) == 0) throw Error(ErrorKind::Input, script.string() + ": empty");
}

void fill_limits(HarborTask& task) {
    using namespace std::chrono_literals;
    double build = task.toml.environment.build_timeout;
    if (task.toml.verifier.separate) // its base is built before the agent runs, too
        build += task.toml.verifier.environment.value_or(EnvironmentTable{}).build_timeout;
    task.limits.environment_start = bounded_seconds(build);
    task.limits.agent_setup = 360s; // Harbor's, the same for all tasks
    if (task.toml.agent.timeout) task.limits.agent = bounded_seconds(*task.toml.agent.timeout);
    task.limits.verify = bounded_seconds(task.toml.verifier.timeout);
    task.claim.cpus = task.toml.environment.cpus.value_or(1);
    task.claim.memory_bytes = task.toml.environment.memory_mb.value_or(0) << 20;
    task.claim.sandboxes = task.toml.verifier.separate ? 2 : 1;
}

class TaskFolders final : public TaskSet {
  public:
    TaskFolders(const Path& source, const TaskFilter& filter, const LoadOptions& options) {
        std::error_code code;
        if (!stdfs::is_directory(source, code))
            throw Error(ErrorKind::Input, source.string() + ": no such folder")
                .hint("--tasks takes a task folder or a folder of them");
        bool single = exists(source / "task.toml");
        if (single)
            add(source, filter, options);
        else
            add_all(source, filter, options);
        if (!single && seen_ == 0 && stdfs::is_directory(source / "tasks", code))
            add_all(source / "tasks", filter, options);
        if (seen_ == 0)
            throw Error(ErrorKind::Input, source.string() + ": no folder with a task.toml in it");
    }

    const std::vector<TaskHeader>& headers() const override { return headers_; }
    TaskRef open(std::size_t index) override { return tasks_.at(index); }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return refused_;
    }

  private:
    static bool exists(const Path& path) {
        return RealFileSystem().exists(path); // also a link that leads nowhere
    }

    void add_all(const Path& source, const TaskFilter& filter, const LoadOptions& options) {
        for (const std::string& name : RealFileSystem().list(source)) {
            std::error_code code;
            Path folder = source / name;
            if (name[0] == '.' || !stdfs::is_directory(folder, code)) continue;
            bool looks_like_one = exists(folder / "task.toml") || exists(folder / "instruction.md");
            if (looks_like_one) add(folder, filter, options);
        }
    }

    void add(const Path& folder, const TaskFilter& filter, const LoadOptions& options) {
        ++seen_;
        Path named = folder.filename().empty() ? folder.parent_path() : folder;
        std::string id = utf8_clean(stdfs::absolute(named).lexically_normal().filename().string());
        if (!filter.wants(id)) return;
        try {
            auto task = load_task(folder, options);
            headers_.push_back(task->header);
            tasks_.push_back(std::move(task));
        } catch (const Error& e) {
            refused_.emplace_back(id, e.message());
        } catch (const stdfs::filesystem_error& e) {
            refused_.emplace_back(id, e.what());
        }
    }

    int seen_ = 0;
    std::vector<TaskHeader> headers_;
    std::vector<TaskRef> tasks_;
    std::vector<std::pair<std::string, std::string>> refused_;
};

} // namespace

NetworkPolicy network_policy(const Network& network) {
    NetworkPolicy out;
    std::string mode = network.mode.value_or("public");
    out.mode = mode == "no-network"  ? NetworkMode::None
               : mode == "allowlist" ? NetworkMode::AllowList
                                     : NetworkMode::Public;
    out.allowed = network.allowed_hosts;
    return out;
}

std::optional<NetworkPolicy> HarborTask::verifier_network() const {
    const Network& own = toml.verifier.network;
    if (toml.verifier.separate) return std::nullopt; // it has a sandbox of its own
    if (own.mode) return network_policy(own);
    return toml.agent.network.mode ? std::optional(network) : std::nullopt;
}

Nanoseconds bounded_seconds(double seconds) {
    constexpr double kLongest = 1e9;
    return from_seconds(std::min(seconds, kLongest));
}

std::shared_ptr<const HarborTask> load_task(const Path& folder, const LoadOptions& options) {
    auto task = std::make_shared<HarborTask>();
    task->folder = stdfs::absolute(folder).lexically_normal();
    if (task->folder.filename().empty()) task->folder = task->folder.parent_path();
    Path file = task->folder / "task.toml";
    task->toml = parse_task_toml(read_text(file), file.string());
    for (const std::string& key : task->toml.unknown_keys)
        log_debug("{}: unknown key {}", file.string(), key);
    refuse_unsupported(task->toml, task->folder);
    std::string instruction = read_text(task->folder / "instruction.md");
    if (!utf8_valid(instruction))
        throw Error(ErrorKind::Input,
                    (task->folder / "instruction.md").string() + ": not valid UTF-8");
    task->instruction = strip_canary(instruction);
    if (trim(task->instruction).empty())
        throw Error(ErrorKind::Input, (task->folder / "instruction.md").string() + ": empty");
    check_files(*task);

    const EnvironmentTable& table = task->toml.environment;
    Path context = task->folder / "environment";
    SandboxSpec spec = sandbox_spec(table, context, options, file.string() + ": environment");
    task->network = spec.network;
    task->prebuilt = spec.base.kind == BaseSpec::Kind::Image;
    task->image_user = last_user(context / "Dockerfile");
    spec.user = task->toml.agent.user;
    if (!task->prebuilt && !table.docker_image.empty())
        task->deviations.push_back("built from environment/Dockerfile, not the published image " +
                                   table.docker_image);
    task->environment.sandboxes = {std::move(spec)};
    if (task->toml.verifier.separate) {
        EnvironmentTable own = task->toml.verifier.environment.value_or(EnvironmentTable{});
        SandboxSpec verifier =
            sandbox_spec(own, task->tests(), options, file.string() + ": verifier.environment");
        verifier.name = "verifier";
        task->later_environments.emplace_back().sandboxes = {std::move(verifier)};
    }
    if (task->toml.agent.network.mode)
        task->later_networks.push_back(network_policy(task->toml.agent.network));
    if (auto network = task->verifier_network()) task->later_networks.push_back(*network);
    task->verifier_env = resolve(task->toml.verifier.env, options.host, file.string());
    task->solution_env = resolve(task->toml.solution_env, options.host, file.string());
    std::vector<const Variables*> hidden = {&task->verifier_env, &task->solution_env};
    if (task->verifier() != nullptr)
        hidden.push_back(&task->verifier()->sandboxes.front().environment);
    for (const Variables* variables : hidden)
        for (const auto& [name, value] : *variables)
            if (is_secret_name(name)) task->secrets.emplace(name, value);
    task->metadata = task->toml.metadata;
    fill_limits(*task);
    task->header.id = utf8_clean(task->folder.filename().string());
    task->header.digest = task_digest(task->folder);
    return task;
}

std::unique_ptr<TaskSet> load_tasks(const Path& source, const TaskFilter& filter,
                                    const LoadOptions& options) {
    return std::make_unique<TaskFolders>(source, filter, options);
}

} // namespace assay::terminal_bench
