// The workshop of the product: every room is a fresh sandbox without network.
#pragma once

#include "assay/api/trial.h"
#include "workshop.h"

#include <map>
#include <memory>

namespace assay::kernel_bench {

// `context` must outlive it. Sandboxes start when they are first needed and stop with it.
std::unique_ptr<Workshop> make_sandbox_workshop(TrialContext& context, BaseSpec base);

} // namespace assay::kernel_bench
