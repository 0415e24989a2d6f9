#include "environment_record.h"

#include "assay/base/clock.h"
#include "assay/base/fs.h"
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

} // namespace

std::string environment_record(SandboxBackend& backend, const Redactor& redactor) {
    Json out = {{"started", iso8601(SystemClock().wall_microseconds())},
                {"assay",
                 {{"version", version_number()},
                  {"commit", build_commit()},
                  {"modified", build_modified()},
                  {"build", build_type()},
                  {"compiler", compiler()}}},
                {"machine", machine()},
                {"sandbox", sandbox(backend)}};
    return redactor.clean(out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

} // namespace assay
