// A task as data, and what a suite adds to it by deriving from Task.
#pragma once

#include "assay/api/environment.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct PhaseLimits { // absent: no limit
    std::optional<Nanoseconds> environment_start, agent_setup, agent, verify;
};

struct Budget {                          // absent: no limit
    std::optional<int> turns;            // model calls of the role "agent"
    std::optional<std::uint64_t> tokens; // prompt + completion, all roles
    std::optional<double> cost;          // US dollars, all roles
    std::optional<Nanoseconds> time;     // wall, without time spent in our own queues
};

struct ResourceClaim { // what the queue must have free before the trial starts
    double cpus = 1;
    std::uint64_t memory_bytes = 0;
    int sandboxes = 1;
    std::vector<std::string> devices;
    bool exclusive_verify = false; // the scorer times something: see TrialContext::exclusive
};

struct TaskHeader {
    std::string id;     // unique in its suite, a name a person would type
    std::string family; // the cluster for statistics; empty: the task itself
    std::string digest; // of all of its content, "sha256:..."
};

struct Task {
    virtual ~Task() = default; // suites derive their own data from it
    TaskHeader header;
    std::string instruction; // what the agent reads
    EnvironmentSpec environment;
    // What a later phase will need besides, all checked before the agent runs: environments that
    // the scorer starts, and networks that `environment`'s main sandbox changes to.
    std::vector<EnvironmentSpec> later_environments;
    std::vector<NetworkPolicy> later_networks;
    PhaseLimits limits;
    Budget budget;
    ResourceClaim claim;
    // False: the agent has the suite's tools and no shell or file tool of its own (MCP Atlas).
    bool sandbox_tools = true;
    // What the suite wants of the agent, e.g. {"max_tool_calls": "100"}; the user's settings win,
    // keys that an agent does not know are ignored.
    std::map<std::string, std::string> agent_defaults;
    std::map<std::string, std::string> secrets; // name and value, kept out of store, report and log
    std::string metadata = "{}";                // JSON object, for reports
};
using TaskRef = std::shared_ptr<const Task>;

// The tasks of one source: headers are known at once, the rest is read when opened. Thread-safe.
class TaskSet {
  public:
    virtual ~TaskSet() = default;
    virtual const std::vector<TaskHeader>& headers() const = 0;
    virtual TaskRef open(std::size_t index) = 0;
    // Tasks of the source that this suite does not run, with the reason; shown, never hidden.
    virtual const std::vector<std::pair<std::string, std::string>>& refused() const = 0;
};

struct TaskFilter {
    std::vector<std::string> include; // globs over the id; empty: all
    std::vector<std::string> exclude;
    bool wants(std::string_view id) const;
};

} // namespace assay
