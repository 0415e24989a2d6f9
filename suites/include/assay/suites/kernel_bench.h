// kernel_bench: native C++ kernels (kernel-task/1), compiled and run out of process, checked on
// secret inputs and timed exclusively. See docs/suites/kernel-bench.md.
#pragma once

#include "assay/api/suite.h"

#include <memory>

namespace assay {

// No setting is needed. "seeds": test inputs per case (3 to 20), "seconds_per_case": time cap of
// the timing of one case (0.5 to 600). Throws Error(Usage) on anything else.
std::unique_ptr<Suite> make_kernel_bench(const Settings& settings);

} // namespace assay
