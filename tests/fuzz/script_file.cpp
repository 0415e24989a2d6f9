// A script file: accepted, or refused with an Error that names the place.
#include "script_file.h"

#include "assay/base/error.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        assay::parse_script({reinterpret_cast<const char*>(data), size}, "fuzz");
    } catch (const assay::Error&) {
    }
    return 0;
}
