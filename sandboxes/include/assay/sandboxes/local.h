// The sandbox backend of this machine: user namespaces, overlayfs, bubblewrap, cgroups. How it
// works and what holds: docs/sandboxes.md.
//
//   LocalOptions options;
//   options.scratch = "/var/tmp/assay";           // a real file system, not an overlay itself
//   options.bases = make_base_maker({...});
//   auto backend = make_local_backend(std::move(options));
//   auto environment = backend->start({}, cancel);
//
// A backend is one run: its first start brings up the run's helper process (assay-launch), which
// removes everything of the run when this process ends, however it ends. The backend must outlive
// its environments.
#pragma once

#include "assay/sandboxes/base_image.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace assay {

struct LocalOptions {
    Path scratch;       // the runs' writable layers: <scratch>/<run id>/...; empty: below $TMPDIR
    Path state;         // sealed layers of bases (LayerRunner); empty: below scratch
    std::string run_id; // [a-z0-9-]; empty: a random one
    std::unique_ptr<BaseMaker> bases;
    // For tests that prove a guard by the attack that works without it: seccomp, capabilities,
    // proc; sysfs (without it the machine's /sys is at /dev/sys, writable); network (the
    // machine's).
    std::set<std::string> without_guards;
    Path helpers; // folder of assay-launch and assay-init; empty: beside this program
};

class LocalBackend : public SandboxBackend, public LayerRunner {
  public:
    virtual const std::string& run_id() const = 0;
    virtual int janitor_pid() = 0; // starts it if need be; for tests and `assay doctor`
};

// Throws Error(Unsupported) naming what the machine lacks.
std::unique_ptr<LocalBackend> make_local_backend(LocalOptions options);

// Removes what runs that are dead have left below `scratch` (processes, cgroups, files). Returns
// their run ids. A run is alive while its process or its janitor holds the lock in its folder.
std::vector<std::string> collect_leftovers(const Path& scratch, const Path& helpers = {});

} // namespace assay
