// An environment: one or more named sandboxes on one private network, the agent's first.
#pragma once

#include "assay/api/sandbox.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct EnvironmentSpec {
    std::vector<SandboxSpec> sandboxes = {SandboxSpec{}}; // the first is main()
    std::string owner; // whose it is, for quiet(): the trial's id
};

// How a base was made, for the record: a substituted base is written on every score.
struct BaseRecord {
    std::string asked;        // "python:3.13-slim-bookworm"
    std::string used;         // "debian:bookworm"
    bool substituted = false; // not what the task asked for: never called official
    Digest digest;            // of the files used
};

class Environment {
  public:
    virtual ~Environment() = default; // stops all of its sandboxes
    virtual Sandbox& main() = 0;
    virtual Sandbox* find(std::string_view name) = 0; // nullptr: none of this name
    virtual std::vector<std::string> names() const = 0;
    // One more sandbox on the same network (a side-car, an MCP server).
    virtual Sandbox& add(const SandboxSpec& spec, const Cancel& cancel) = 0;
    virtual void remove(std::string_view name) = 0;
    virtual std::vector<BaseRecord> bases() const = 0;
    // Sum over its sandboxes, those already removed included.
    virtual ResourceUsage usage() = 0;
};

// While it lives, the sandboxes of others stand still.
class Quiet {
  public:
    virtual ~Quiet() = default;      // they go on
    virtual int frozen() const = 0;  // sandboxes
    virtual int running() const = 0; // those of others that cannot be frozen
};

// A sandbox backend. One per run; thread-safe.
class SandboxBackend {
  public:
    virtual ~SandboxBackend() = default;
    virtual std::string name() const = 0;
    virtual SandboxCapabilities capabilities() = 0;
    // Throws Error(Unsupported) naming what is missing, before anything starts.
    virtual void check(const EnvironmentSpec& spec) = 0;
    // Builds or fetches what the base needs; start() calls it too. May take minutes.
    virtual BaseRecord prepare(const BaseSpec& base, const Cancel& cancel) = 0;
    virtual std::unique_ptr<Environment> start(const EnvironmentSpec& spec,
                                               const Cancel& cancel) = 0;
    // As start(), with main() on the files of a checkpoint.
    virtual std::unique_ptr<Environment> start_from(const EnvironmentSpec& spec,
                                                    std::shared_ptr<Checkpoint> from,
                                                    const Cancel& cancel) = 0;
    // Freezes what runs in the environments of all others. One at a time; whoever uses a frozen
    // sandbox waits for its end, but may destroy it. nullptr: this backend has nothing to freeze.
    virtual std::unique_ptr<Quiet> quiet(std::string_view /*owner*/) { return nullptr; }
};

} // namespace assay
