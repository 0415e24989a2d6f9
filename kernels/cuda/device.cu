#include "assay/kernels/device.h"
#include "check.h"

namespace assay::kernels {

int device_count() {
    // Without a driver the runtime answers 35 and leaves the count as it was.
    static const int count = [] {
        int n = 0;
        return cudaGetDeviceCount(&n) == cudaSuccess ? n : 0;
    }();
    return count;
}

bool built_with_cuda() {
    return true;
}

std::string device_name(int device) {
    cudaDeviceProp properties{};
    cuda_check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    return properties.name;
}

void device_synchronize() {
    cuda_check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

DeviceBuffer::DeviceBuffer(std::size_t bytes) {
    cuda_check(cudaMalloc(&data_, bytes), "cudaMalloc");
}

DeviceBuffer::~DeviceBuffer() {
    cudaFree(data_);
}

void DeviceBuffer::upload(const void* from, std::size_t bytes) {
    cuda_check(cudaMemcpy(data_, from, bytes, cudaMemcpyHostToDevice), "cudaMemcpy to device");
}

void DeviceBuffer::download(void* to, std::size_t bytes) const {
    cuda_check(cudaMemcpy(to, data_, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy to host");
}

} // namespace assay::kernels
