// Compiled instead of the .cu files where there is no CUDA compiler, so that no caller needs
// #ifdef.
#include "assay/kernels/device.h"
#include "assay/kernels/rms_norm.h"

#include <stdexcept>

namespace assay::kernels {

namespace {
[[noreturn]] void absent() {
    throw std::runtime_error("this build has no CUDA: configure it with a CUDA compiler "
                             "(tools/cuda installs one)");
}
} // namespace

int device_count() {
    return 0;
}
bool built_with_cuda() {
    return false;
}
std::string device_name(int) {
    absent();
}
void device_synchronize() {
    absent();
}
DeviceBuffer::DeviceBuffer(std::size_t) {
    absent();
}
DeviceBuffer::~DeviceBuffer() {}
void DeviceBuffer::upload(const void*, std::size_t) {
    absent();
}
void DeviceBuffer::download(void*, std::size_t) const {
    absent();
}
void rms_norm_cuda(const RmsNormArgs&, void*) {
    absent();
}

} // namespace assay::kernels
