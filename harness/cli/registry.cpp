// The only place that knows concrete types: one line an entry.
#include "registry.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/random.h"
#include "assay/sandboxes/local.h"
#include "assay/sandboxes/null.h"
#include "assay/suites/example.h"
#include "assay/suites/kernel_bench.h"
#include "assay/suites/mcp_atlas.h"
#include "assay/suites/terminal_bench.h"

#include <unistd.h>

#include <cstdlib>

namespace assay {

const std::vector<SuiteEntry>& suite_registry() {
    static const std::vector<SuiteEntry> entries = {
        {"terminal_bench", "Terminal-Bench 2.x and other Harbor task folders, unmodified",
         make_terminal_bench},
        {"example", "three sums: the smallest suite, to be copied", make_example},
        {"kernel_bench", "native kernels: correct on secret data, and how fast", make_kernel_bench},
        {"mcp_atlas", "tool use through MCP servers, scored claim by claim by a judge model",
         make_mcp_atlas},
    };
    return entries;
}

namespace {

std::unique_ptr<SandboxBackend> make_local(const SandboxSettings& settings) {
    LocalOptions options;
    options.scratch = settings.scratch;
    options.state = settings.state / "layers";
    options.run_id = settings.run_id;
    BaseMakerOptions bases;
    bases.state = settings.state / "bases";
    if (!settings.image_map.empty())
        bases.images = ImageMap::parse(settings.image_map, settings.image_map_file);
    bases.override_base = settings.base;
    options.bases = make_base_maker(std::move(bases));
    for (const std::string& run : collect_leftovers(options.scratch))
        log_info("removed what the killed run {} had left", run);
    return make_local_backend(std::move(options));
}

} // namespace

const std::vector<SandboxEntry>& sandbox_registry() {
    static const std::vector<SandboxEntry> entries = {
        {"local", "namespaces, overlays and cgroups of this machine, by bubblewrap", make_local},
        {"null", "runs nothing, files in memory: for tests and benchmarks of the harness",
         [](const SandboxSettings&) { return make_null_backend(); }},
    };
    return entries;
}

namespace {

std::string_view key_of(const SuiteEntry& entry) {
    return entry.name;
}
std::string_view key_of(const SandboxEntry& entry) {
    return entry.name;
}

template<class Entry>
const Entry& find_in(const std::vector<Entry>& entries, std::string_view kind,
                     std::string_view name) {
    std::string known;
    for (const Entry& entry : entries) {
        if (key_of(entry) == name) return entry;
        known += (known.empty() ? "" : ", ") + std::string(key_of(entry));
    }
    throw Error(ErrorKind::Usage,
                "there is no " + std::string(kind) + " '" + std::string(name) + "'")
        .hint("this build has: " + (known.empty() ? "none" : known));
}

} // namespace

const SuiteEntry& find_suite(std::string_view name) {
    return find_in(suite_registry(), "suite", name);
}
const SandboxEntry& find_sandbox(std::string_view name) {
    if (name.empty()) return sandbox_registry().front();
    return find_in(sandbox_registry(), "sandbox", name);
}

std::unique_ptr<Suite> make_suite(const SuiteEntry& entry, const Settings& settings) {
    auto suite = entry.make(settings);
    check_settings("suite " + entry.name, suite->info().settings, settings);
    return suite;
}

Path state_folder(const std::string& from_arguments) {
    if (!from_arguments.empty()) return std::filesystem::absolute(from_arguments);
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
        return Path(cache) / "assay";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
        return Path(home) / ".cache" / "assay";
    return Path("/var/tmp") / ("assay-" + std::to_string(getuid()));
}

SandboxSettings sandbox_settings(const std::string& state) {
    SandboxSettings settings;
    settings.state = state_folder(state);
    // Not below a home folder, which may be on a file system that can hold no overlay.
    settings.scratch = state.empty() ? std::filesystem::temp_directory_path() /
                                           ("assay-" + std::to_string(::getuid()))
                                     : settings.state / "scratch";
    SystemRandom random; // of this start: two shards may share a machine
    settings.run_id = Id::random(random).hex();
    return settings;
}

} // namespace assay
