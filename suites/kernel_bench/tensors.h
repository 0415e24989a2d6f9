// Where the tensors of a case lie in a slot, the making of inputs from a secret seed, and the
// comparison of outputs.
#pragma once

#include "assay/base/hash.h"
#include "runner/wire.h"
#include "task.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay::kernel_bench {

// The frame that describes a case to a runner. `as_reference`: outputs are f64 and i64, which is
// what reference.cpp writes.
kt_wire::CaseBody layout(const KernelTask& task, const KernelCase& c, bool as_reference);

// The input slot of one call. The same seed gives the same bytes.
std::string make_inputs(const KernelTask& task, const KernelCase& c, const kt_wire::CaseBody& body,
                        const Digest& seed);

// Elements of one output of a slot as doubles; exact for all dtypes below 2^53.
std::vector<double> read_output(const kt_wire::TensorBody& tensor, std::string_view slot);

struct Comparison { // of one output
    bool ok = true;
    double max_abs = 0, max_rel = 0, rmse_over_std = 0;
    std::uint64_t bad = 0, count = 0;
    std::int64_t first_bad = -1; // flat index
    double got = 0, want = 0;    // there
};

Comparison compare(const std::vector<double>& got, const std::vector<double>& want,
                   const Tolerance& tolerance);

// Step 0 of the procedure: the names of the trivial answers that would pass for this output
// ("zeros", "mean", "copy_of_input", "bf16", "other_seed", "tolerance_too_wide").
std::vector<std::string> degenerate(const std::vector<double>& want,
                                    const std::vector<double>& want_of_other_seed,
                                    const std::vector<double>& first_input,
                                    const TensorSpec& output, const Tolerance& tolerance);

} // namespace assay::kernel_bench
