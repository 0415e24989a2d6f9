// A stand-in for assay that the death tests kill: starts sandboxes with work in them, says so on
// stdout, and waits for its end.
#include "support.h"

#include <unistd.h>

int main(int argc, char** argv) {
    using namespace assay;
    if (argc != 3) return 64;
    LocalOptions options = test::options();
    options.scratch = argv[1];
    options.run_id = argv[2];
    auto backend = make_local_backend(std::move(options));
    std::vector<std::unique_ptr<Environment>> environments;
    for (int i = 0; i < 3; i++) {
        EnvironmentSpec spec;
        spec.sandboxes.resize(i == 0 ? 2 : 1);
        if (i == 0) spec.sandboxes[1].name = "other";
        environments.push_back(backend->start(spec, Cancel()));
        test::sh(environments.back()->main(),
                 "for i in 1 2 3; do setsid sleep 1000 & done >/dev/null 2>&1; echo x > /f");
    }
    std::printf("%d\n", backend->janitor_pid());
    std::fflush(stdout);
    for (;;) ::pause();
}
