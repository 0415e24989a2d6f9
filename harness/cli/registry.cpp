// The only place that knows concrete types: one line an entry.
#include "registry.h"

#include "assay/base/error.h"
#include "assay/sandboxes/null.h"
#include "assay/suites/example.h"
#include "assay/suites/terminal_bench.h"

namespace assay {

const std::vector<SuiteEntry>& suite_registry() {
    static const std::vector<SuiteEntry> entries = {
        {"terminal_bench", "Terminal-Bench 2.x and other Harbor task folders, unmodified",
         make_terminal_bench},
        {"example", "three sums: the smallest suite, to be copied", make_example},
    };
    return entries;
}

const std::vector<SandboxEntry>& sandbox_registry() {
    static const std::vector<SandboxEntry> entries = {
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
    if (!name.empty()) return find_in(sandbox_registry(), "sandbox", name);
    for (const SandboxEntry& entry : sandbox_registry())
        if (entry.name != "null") return entry;
    return sandbox_registry().front();
}

} // namespace assay
