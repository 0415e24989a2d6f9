// Archives come with tasks: nothing may be written outside of the folder given.
#include "assay/base/error.h"
#include "bases/tar_extract.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace assay;
using namespace assay::bases;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    TempFolder area("assay-fuzz");
    std::filesystem::create_directory(area.path() / "root");
    try {
        extract_tar_bytes({reinterpret_cast<const char*>(data), size}, area.path() / "root",
                          {.bytes = 1 << 20, .entries = 100});
    } catch (const Error&) {
    }
    std::size_t beside = 0;
    for (const auto& entry : std::filesystem::directory_iterator(area.path()))
        beside += entry.path().filename() == "root" ? 0 : 1;
    if (beside != 0) std::abort();
    return 0;
}
