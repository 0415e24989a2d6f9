// The variants of rms_norm and the choice between them.
#include "assay/kernels/device.h"
#include "assay/kernels/rms_norm.h"

#include <array>

namespace assay::kernels {

std::span<const RmsNormVariant> rms_norm_variants() {
    static constexpr std::array<RmsNormVariant, 3> kVariants = {{
        {"reference", false, [] { return true; }, rms_norm_reference},
        {"avx2", false, rms_norm_avx2_available, rms_norm_avx2},
        {"cuda", true, [] { return device_count() > 0; }, rms_norm_cuda},
    }};
    return kVariants;
}

const RmsNormVariant* rms_norm_best(bool on_device) {
    const RmsNormVariant* best = nullptr;
    for (const RmsNormVariant& variant : rms_norm_variants())
        if (variant.on_device == on_device && variant.available()) best = &variant;
    return best;
}

} // namespace assay::kernels
