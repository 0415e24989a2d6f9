// One block of kRmsLanes threads a row; thread l is lane l of the contract.
#include "assay/kernels/rms_norm.h"
#include "check.h"

#include <algorithm>

namespace assay::kernels {

namespace {

__global__ void rms_norm_kernel(RmsNormArgs args) {
    __shared__ float lanes[kRmsLanes];
    const int l = static_cast<int>(threadIdx.x);
    for (std::int64_t r = blockIdx.x; r < args.rows; r += gridDim.x) {
        const float* x = args.x + r * args.columns;
        float* out = args.out + r * args.columns;
        float sum = 0;
        for (std::int64_t c = l; c < args.columns; c += kRmsLanes) sum = __fmaf_rn(x[c], x[c], sum);
        lanes[l] = sum;
        __syncthreads();
        for (int half = kRmsLanes / 2; half > 0; half /= 2) {
            if (l < half) lanes[l] = __fadd_rn(lanes[l], lanes[l + half]);
            __syncthreads();
        }
        float mean = __fdiv_rn(lanes[0], static_cast<float>(args.columns));
        float scale = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(mean, args.epsilon)));
        for (std::int64_t c = l; c < args.columns; c += kRmsLanes)
            out[c] = __fmul_rn(__fmul_rn(x[c], scale), args.weight[c]);
        __syncthreads(); // lanes is written again for the next row
    }
}

constexpr std::int64_t kMostBlocks = 65535;

} // namespace

void rms_norm_cuda(const RmsNormArgs& args, void* stream) {
    if (args.rows == 0) return;
    auto blocks = static_cast<unsigned>(std::min(args.rows, kMostBlocks));
    rms_norm_kernel<<<blocks, kRmsLanes, 0, static_cast<cudaStream_t>(stream)>>>(args);
    cuda_check(cudaGetLastError(), "rms_norm launch");
}

} // namespace assay::kernels
