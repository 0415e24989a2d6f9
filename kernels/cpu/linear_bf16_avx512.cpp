// The tiles for machines without the instruction: both values of a pair are widened.
#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"

#if defined(__x86_64__)

#include "dot_emulated.h"
#include "linear_bf16_tiles.h"

namespace assay::kernels {

void linear_bf16_avx512(const LinearBf16Args& args) {
    panels(args);
}

} // namespace assay::kernels

#else

namespace assay::kernels {

void linear_bf16_avx512(const LinearBf16Args& args) {
    linear_bf16_reference(args);
}

} // namespace assay::kernels

#endif
