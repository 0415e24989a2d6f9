// A Harbor task folder as a Task, and the set of them below one source.
#pragma once

#include "assay/api/task.h"
#include "task_toml.h"
#include "text_rules.h"

namespace assay::terminal_bench {

NetworkPolicy network_policy(const Network& network); // absent mode: public

struct HarborTask : Task {
    Path folder;
    TaskToml toml;
    Variables verifier_env, solution_env; // templates resolved
    std::string image_user;               // the last USER of environment/Dockerfile, or empty
    bool prebuilt = false;                // there is nothing to build: docker_image alone
    NetworkPolicy network;                // of the environment
    std::vector<std::string> deviations;  // known before anything runs
    // No task says so: for tests that prove the guard by the attack that works without it.
    bool keep_early_rewards = false;

    // The separate verifier's, or nullptr.
    const EnvironmentSpec* verifier() const {
        return later_environments.empty() ? nullptr : &later_environments.front();
    }
    // What the shared sandbox's network is changed to for verification, if it is.
    std::optional<NetworkPolicy> verifier_network() const;
    Path tests() const { return folder / "tests"; }
    Path solution() const { return folder / "solution"; }
};

Nanoseconds bounded_seconds(double seconds); // cut at thirty years: no overflow

struct LoadOptions {
    HostVariable host; // variables of this process
};

// Reads one folder. Throws Error(Input) if it is broken and Error(Unsupported) if it is a kind of
// task that this suite does not run.
std::shared_ptr<const HarborTask> load_task(const Path& folder, const LoadOptions& options);

// `source`: one task folder, or a folder of them (also below tasks/). What cannot be run is in
// refused(), by name; the others go on.
std::unique_ptr<TaskSet> load_tasks(const Path& source, const TaskFilter& filter,
                                    const LoadOptions& options);

} // namespace assay::terminal_bench
