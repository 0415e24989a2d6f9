// Checkpoints come from anywhere: any bytes are a safetensors file or an Error, and all tensors of
// a file lie inside it, side by side. The input is read as a file, and as short numbers that are
// made into a header of right JSON: offsets and shapes that nearly fit are not found by changing
// text.
#include "assay/base/error.h"
#include "checkpoint/safetensors.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void check_file(std::string_view bytes) {
    try {
        std::uint64_t total = 0;
        auto file = assay::engine::read_safetensors(bytes, "f");
        const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
        for (const auto& tensor : file.tensors) {
            std::uint64_t elements = 1;
            for (std::int64_t dim : tensor.shape)
                if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(dim), &elements))
                    std::abort();
            if (elements != tensor.elements) std::abort();
            if (tensor.data < begin || tensor.bytes > bytes.size() ||
                tensor.data > begin + (bytes.size() - tensor.bytes))
                std::abort();
            total += tensor.bytes;
        }
        if (8 + file.header.size() + total != bytes.size()) std::abort();
    } catch (const assay::Error&) {
    }
}

// Four bytes a tensor: type and dims, size, begin, end; the first byte of all is the data's size.
// Below 16, so that what nearly fits is not rare.
std::string made_file(const std::uint8_t* data, std::size_t size) {
    static const char* types[] = {"U8", "BF16", "F32", "F8_E4M3"};
    std::string header = "{";
    for (std::size_t i = 1; i + 4 <= size && i < 64; i += 4) {
        std::string shape = "[" + std::to_string(data[i + 1] & 15);
        for (int dims = data[i] >> 2; dims > 0 && dims < 12; --dims)
            shape += "," + std::to_string(std::uint64_t{1} << (data[i + 1] & 63));
        header += (i == 1 ? "\"" : ",\"") + std::to_string(i) + "\":{\"dtype\":\"" +
                  types[data[i] & 3] + "\",\"shape\":" + shape + "],\"data_offsets\":[" +
                  std::to_string(data[i + 2] & 15) + "," + std::to_string(data[i + 3] & 15) + "]}";
    }
    header += "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    std::uint64_t length = header.size();
    std::string file(sizeof length, '\0');
    std::memcpy(file.data(), &length, sizeof length);
    return file + header + std::string(data[0] & 15, 'x');
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_file(bytes);
    if (size > 0) check_file(made_file(data, size));
    try {
        assay::engine::read_header_list(bytes, "f");
    } catch (const assay::Error&) {
    }
    return 0;
}
