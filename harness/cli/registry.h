// The suites and sandbox backends of this build, by name: explicit lists that feed `assay list` and
// the run. To add one: one line in registry.cpp. Agents and models have theirs in harness/agents
// (agents.h) and harness/models (models.h).
#pragma once

#include "assay/api/environment.h"
#include "assay/api/suite.h"
#include "assay/base/fs.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct SuiteEntry {
    std::string name;
    std::string description;
    std::function<std::unique_ptr<Suite>(const Settings&)> make; // but see make_suite()
};

struct SandboxSettings {
    Path state;                 // caches of this user
    Path scratch;               // writable layers of running sandboxes
    std::string image_map;      // the text of --image-map; empty: none
    std::string image_map_file; // its name, for errors
    std::string base;           // --base; empty: what the task asks for
    std::string run_id;         // hex; names what is left behind if the run is killed
};

struct SandboxEntry {
    std::string name;
    std::string description;
    std::function<std::unique_ptr<SandboxBackend>(const SandboxSettings&)> make;
};

const std::vector<SuiteEntry>& suite_registry();
const std::vector<SandboxEntry>& sandbox_registry();

// Throw Error(Usage) that names what there is.
const SuiteEntry& find_suite(std::string_view name);
const SandboxEntry& find_sandbox(std::string_view name); // empty: the first

// Throws Error(Usage) for a setting that it does not have, or a value that it cannot use.
std::unique_ptr<Suite> make_suite(const SuiteEntry& entry, const Settings& settings);

Path state_folder(const std::string& option); // --state, or the user's cache folder
// Folders and a fresh run id; --base and --image-map are the caller's.
SandboxSettings sandbox_settings(const std::string& state);

} // namespace assay
