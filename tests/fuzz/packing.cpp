// Packed columns of a run that somebody else made. The first byte chooses the column.
#include "packing.h"

#include "assay/base/error.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        switch (data[0] % 4) {
        case 0:
            if (assay::pack_ids(assay::unpack_ids(bytes)) != bytes) std::abort();
            break;
        case 1:
            assay::unpack_doubles(bytes);
            break;
        case 2:
            assay::unpack_logprobs(bytes);
            break;
        default:
            assay::decompress(static_cast<assay::Codec>(bytes.size() % 3), bytes, size * 3);
        }
    } catch (const assay::Error&) {
        return 0;
    }
    return 0;
}
