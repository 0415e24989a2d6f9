// What the sandbox tests share: one backend on the base "host".
#pragma once

#include "assay/sandboxes/local.h"
#include "sandbox_probe.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace assay::test {

// A folder that survives the test program, so that the base is made once. ASSAY_TEST_FOLDER:
// another place, for a run as a user who cannot write to the build folder.
inline Path work_folder() {
    if (const char* other = std::getenv("ASSAY_TEST_FOLDER")) return other;
    return Path(ASSAY_BUILD_DIR) / "sandbox-tests";
}

inline LocalOptions options() {
    LocalOptions out;
    out.scratch = work_folder() / "scratch";
    out.state = work_folder() / "state";
    BaseMakerOptions bases;
    bases.state = out.state;
    out.bases = make_base_maker(std::move(bases));
    return out;
}

inline LocalBackend& backend() {
    need_sandboxes();
    static std::unique_ptr<LocalBackend> instance = make_local_backend(options());
    return *instance;
}

inline std::unique_ptr<Environment> host_environment(SandboxSpec spec = {}) {
    EnvironmentSpec environment;
    environment.sandboxes = {std::move(spec)};
    return backend().start(environment, Cancel());
}

// As an ordinary user the files of /usr belong to nobody that is mapped, and cannot be changed.
inline bool as_root() {
    return ::geteuid() == 0;
}

inline ExecResult sh(Sandbox& sandbox, const std::string& command, ExecOptions options = {}) {
    return run_shell(sandbox, command, options, Cancel());
}

// Writes what is there already. Without the guard "sysfs" the machine's is at /dev/sys.
inline const std::string kSysfsAttack =
    "for d in /sys /dev/sys; do f=$d/module/printk/parameters/time; "
    "v=$(cat $f) && echo $v > $f && echo written; done";

} // namespace assay::test
