// For tests that need sandboxes: where a machine can have none the whole program ends as skipped.
#pragma once

#include "skip.h"

#include <cstdlib>

namespace assay::test {

// Looks for itself and does not ask the backend: a start that we broke must fail, not be skipped.
inline void need_sandboxes() {
    static const int probe = std::system("bwrap --unshare-all --bind / / true");
    if (probe != 0) skip_program("no sandbox here: 'bwrap --unshare-all --bind / / true' fails");
}

} // namespace assay::test
