// The CUDA device, or its absence: without nvcc at build time, or without a driver or GPU at run
// time, there are zero devices and everything else throws std::runtime_error.
#pragma once

#include <cstddef>
#include <string>

namespace assay::kernels {

int device_count();     // asked once; every error of the runtime means 0
bool built_with_cuda(); // false: the stub was compiled
std::string device_name(int device);
void device_synchronize(); // throws what an earlier launch went wrong with

class DeviceBuffer { // memory of the current device
  public:
    explicit DeviceBuffer(std::size_t bytes);
    ~DeviceBuffer();
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;
    void* data() { return data_; }
    void upload(const void* from, std::size_t bytes);
    void download(void* to, std::size_t bytes) const; // waits for earlier work of the device

  private:
    void* data_ = nullptr;
};

} // namespace assay::kernels
