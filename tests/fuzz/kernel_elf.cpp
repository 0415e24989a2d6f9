// The reader of shared objects of kernel_bench on any bytes: a summary or an Error.
#include "assay/base/error.h"
#include "shared_object.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        assay::kernel_bench::read_elf({reinterpret_cast<const char*>(data), size});
    } catch (const assay::Error&) {
    }
    return 0;
}
