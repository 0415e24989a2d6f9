// The tiles for machines without the instruction.
#include "assay/kernels/fold_block.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"

#if defined(__x86_64__)

#include "dot_emulated.h"
#include "fold_block_tiles.h"

namespace assay::kernels {

const FoldVariant kFoldAvx512 = {"avx512", avx512_available, fold, rank, finish};

} // namespace assay::kernels

#else

namespace assay::kernels {

const FoldVariant kFoldAvx512 = {"avx512", [] { return false; }, nullptr, nullptr, nullptr};

} // namespace assay::kernels

#endif
