// Checkpoints come from anywhere: any bytes are a safetensors file or an Error, and all tensors of
// a file lie inside it, side by side.
#include "assay/base/error.h"
#include "checkpoint/safetensors.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try {
        std::uint64_t total = 0;
        auto file = assay::engine::read_safetensors(bytes, "f");
        const auto* begin = reinterpret_cast<const std::byte*>(data);
        for (const auto& tensor : file.tensors) {
            std::uint64_t elements = 1;
            for (std::int64_t dim : tensor.shape) elements *= static_cast<std::uint64_t>(dim);
            if (elements != tensor.elements) std::abort();
            if (tensor.data < begin || tensor.bytes > size ||
                tensor.data > begin + (size - tensor.bytes))
                std::abort();
            total += tensor.bytes;
        }
        if (8 + file.header.size() + total != size) std::abort();
    } catch (const assay::Error&) {
    }
    try {
        assay::engine::read_header_list(bytes, "f");
    } catch (const assay::Error&) {
    }
    return 0;
}
