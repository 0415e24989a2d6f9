// Turns a CUDA error into an exception. For .cu files only.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace assay::kernels {

inline void cuda_check(cudaError_t code, const char* doing) {
    if (code == cudaSuccess) return;
    throw std::runtime_error(std::string(doing) + ": " + cudaGetErrorName(code) + ": " +
                             cudaGetErrorString(code));
}

} // namespace assay::kernels
