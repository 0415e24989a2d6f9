// The base "host": the machine's /usr, read-only, below a root that we generate. Nothing private of
// the machine is in it: no /root, /home, /srv, no keys, no accounts but the distribution's own and
// an ordinary user `agent` (uid 1000).
#pragma once

#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"

namespace assay::bases {

// `root` is "/" but in tests. Throws Error(Unsupported) if the machine's /usr is not merged.
BaseImage make_host_base(Cache& cache, const Path& root, const Cancel& cancel);

} // namespace assay::bases
