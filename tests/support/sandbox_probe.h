// For tests that need sandboxes: where a machine can have none the whole program ends as skipped.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace assay::test {

// Looks for itself and does not ask the backend: a start that we broke must fail, not be skipped.
inline void need_sandboxes() {
    static const int probe = std::system("bwrap --unshare-all --bind / / true");
    if (probe == 0) return;
    std::printf("skipped: no sandbox here: 'bwrap --unshare-all --bind / / true' fails\n");
    std::fflush(nullptr);
    std::exit(77);
}

} // namespace assay::test
