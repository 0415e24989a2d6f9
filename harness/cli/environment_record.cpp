#include "environment_record.h"

#include "assay/base/clock.h"
#include "assay/base/fs.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "version.h"

#include <nlohmann/json.hpp>
#include <sys/utsname.h>
#include <unistd.h>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;

std::string value_in(const std::string& text, std::string_view key) { // "key : value" lines
    for (std::string_view line : split_lines(text))
        if (line.starts_with(key)) {
            std::size_t at = line.find_first_of(":=");
            if (at != std::string_view::npos) {
                std::string value(trim(line.substr(at + 1)));
                return replace_all(std::move(value), "\"", "");
            }
        }
    return "";
}

std::string read_quietly(const Path& path) {
    try {
        return RealFileSystem().read(path, 1 << 20);
    } catch (const std::exception&) {
        return "";
    }
}

Json machine() {
    utsname names{};
    ::uname(&names);
    return {{"kernel", std::string(names.sysname) + " " + names.release},
            {"architecture", names.machine},
            {"system", value_in(read_quietly("/etc/os-release"), "PRETTY_NAME")},
            {"processor", value_in(read_quietly("/proc/cpuinfo"), "model name")},
            {"processors", ::sysconf(_SC_NPROCESSORS_ONLN)},
            {"memory", value_in(read_quietly("/proc/meminfo"), "MemTotal")},
            {"user", ::getuid()}};
}

Json sandbox(SandboxBackend& backend) {
    SandboxCapabilities can = backend.capabilities();
    Json network = Json::array();
    for (NetworkMode mode : can.network)
        network.push_back(mode == NetworkMode::None     ? "none"
                          : mode == NetworkMode::Public ? "public"
                                                        : "allow-list");
    return {{"backend", backend.name()},
            {"multi_user", can.multi_user},
            {"checkpoint", can.checkpoint},
            {"private_network", can.private_network},
            {"network", std::move(network)},
            {"limits_held",
             {{"cpus", can.limit_cpus},
              {"memory", can.limit_memory},
              {"pids", can.limit_pids},
              {"disk", can.limit_disk}}},
            {"usage", can.usage},
            {"notes", can.notes}};
}

// Its version and, as a hash, the digests of all tasks of the plan.
Json suite(const PlanRecord& plan) {
    std::map<std::string, std::string> tasks;
    for (const SlotRecord& slot : plan.slots) tasks[slot.task] = slot.task_digest;
    Sha256 hash;
    for (const auto& [id, digest] : tasks) hash.update(id + '\0' + digest + '\n');
    return {{"name", plan.suite},
            {"version", plan.suite_version},
            {"tasks", tasks.size()},
            {"tasks_sha256", hash.finish().hex()}};
}

Json models_json(const ModelsBySpec& models) {
    Json out = Json::array();
    for (const auto& [spec, facts] : models) {
        const auto& hash = facts.fingerprint;
        Json model = {{"spec", spec}, {"sha256", hash ? Json(hash->hex()) : Json(nullptr)}};
        if (!facts.plan.empty()) model["plan"] = Json::parse(facts.plan);
        out.push_back(std::move(model));
    }
    return out;
}

} // namespace

std::string environment_record(const PlanRecord& plan, const ModelsBySpec& models,
                               SandboxBackend& backend, const Redactor& redactor) {
    Json out = {{"started", iso8601(SystemClock().wall_microseconds())},
                {"assay",
                 {{"version", version_number()},
                  {"commit", build_commit()},
                  {"modified", build_modified()},
                  {"build", build_type()},
                  {"compiler", compiler()}}},
                {"machine", machine()},
                {"sandbox", sandbox(backend)},
                {"suite", suite(plan)},
                {"models", models_json(models)}};
    return redactor.clean(out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string changed_models(const std::vector<std::string>& earlier, const std::string& now) {
    auto hashes = [](const std::string& record) {
        std::map<std::string, std::string> out;
        const Json json = parse_json<Json>(record);
        if (!json.is_object() || !json.contains("models")) return out;
        for (const Json& model : json["models"])
            if (model.value("sha256", Json()).is_string())
                out[model.value("spec", "")] = model["sha256"].get<std::string>();
        return out;
    };
    std::map<std::string, std::string> before;
    for (const std::string& record : earlier)
        for (auto& [spec, hash] : hashes(record)) before[spec] = hash;
    std::string out;
    for (const auto& [spec, hash] : hashes(now))
        if (auto found = before.find(spec); found != before.end() && found->second != hash)
            out += (out.empty() ? "" : ", ") + spec + " was " + found->second.substr(0, 12) +
                   " and is " + hash.substr(0, 12);
    return out;
}

} // namespace assay
