#include "assay/engine/engine.h"
#include "assay/kernels/elementwise.h"
#include "assay/kernels/fold_block.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"
#include "assay/kernels/rms_norm.h"

namespace assay::engine {

std::map<std::string, std::string> chosen_kernels(Compute compute) {
    std::map<std::string, std::string> out = {{"elementwise", kernels::elementwise_best().name},
                                              {"fold_block", kernels::fold_best().name},
                                              {"linear", kernels::linear_best().name},
                                              {"rms_norm", kernels::rms_norm_best(false)->name}};
    if (compute == Compute::Bf16) out["linear_bf16"] = kernels::linear_bf16_best().name;
    return out;
}

} // namespace assay::engine
