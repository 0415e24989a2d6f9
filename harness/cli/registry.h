// What this build can run, by name: explicit lists that feed --help, `assay list` and the run.
// To add a suite, an agent, a provider or a backend: one line in registry.cpp.
#pragma once

#include "assay/api/agent.h"
#include "assay/api/environment.h"
#include "assay/api/model.h"
#include "assay/api/recording.h"
#include "assay/api/suite.h"
#include "assay/base/redact.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct SuiteEntry {
    std::string name;
    std::string description;
    std::function<std::unique_ptr<Suite>(const Settings&)> make;
};

struct AgentEntry {
    std::string name;
    std::string description;
    std::function<std::unique_ptr<Agent>(const Settings&)> make;
};

struct ModelSettings { // what the command line knows; an entry takes what it needs
    std::uint64_t seed = 0;
    Settings settings;  // --model-set key=value
    std::string prices; // JSON of --prices; empty: none
    Redactor* redactor = nullptr;
    std::function<std::shared_ptr<RecordingSource>(const Path&)> open_recording; // replay:RUN
};

struct ModelEntry {
    std::string prefix;  // of the spec, up to the colon: "openai" of "openai:NAME"
    std::string example; // "openai:NAME"
    std::string description;
    std::function<std::unique_ptr<Model>(const std::string& spec, const ModelSettings&)> make;
};

struct SandboxSettings {
    Path state;         // caches of this user
    Path image_map;     // --image-map; empty: none
    std::string base;   // --base; empty: what the task asks for
    std::string run_id; // hex; names what the backend leaves behind if it is killed
};

struct SandboxEntry {
    std::string name;
    std::string description;
    std::function<std::unique_ptr<SandboxBackend>(const SandboxSettings&)> make;
};

const std::vector<SuiteEntry>& suite_registry();
const std::vector<AgentEntry>& agent_registry();
const std::vector<ModelEntry>& model_registry();
const std::vector<SandboxEntry>& sandbox_registry();

// Throw Error(Usage) that names what there is.
const SuiteEntry& find_suite(std::string_view name);
const AgentEntry& find_agent(std::string_view name);
const ModelEntry& find_model(std::string_view spec);
const SandboxEntry& find_sandbox(std::string_view name); // empty: the first that is not "null"

} // namespace assay
