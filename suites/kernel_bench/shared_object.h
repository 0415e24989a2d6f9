// A small reader of 64-bit little-endian ELF shared objects: what a built answer needs and does
// before anybody calls it. The bytes come out of a sandbox: nothing in them is believed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::kernel_bench {

struct ElfSummary {
    std::vector<std::string> needed;    // DT_NEEDED
    std::vector<std::string> undefined; // symbols it takes from elsewhere
    std::vector<std::string> defined;   // symbols it offers
    std::uint64_t constructors = 0;     // entries of DT_INIT_ARRAY
    bool indirect_functions = false;    // code that runs while the library is linked (ifunc)
};

// Throws Error(Input) if it is not such a file or its tables lie outside of it.
ElfSummary read_elf(std::string_view bytes);

} // namespace assay::kernel_bench
