// The tiles with the instruction.
#include "assay/kernels/fold_block.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"

#if defined(__x86_64__)

#include "dot_instruction.h"
#include "fold_block_tiles.h"

namespace assay::kernels {

const FoldVariant kFoldAvx512Bf16 = {"avx512bf16", dot_instruction_available, fold, rank, finish};

} // namespace assay::kernels

#else

namespace assay::kernels {

const FoldVariant kFoldAvx512Bf16 = {"avx512bf16", [] { return false; }, nullptr, nullptr, nullptr};

} // namespace assay::kernels

#endif
