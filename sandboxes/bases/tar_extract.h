// Extraction of archives that we did not make. Entries are written with openat below the target,
// never through a link: an absolute name is taken as relative, ".." and everything that would pass
// through a link that leads outside is Error(Input). Devices and sockets are left out.
#pragma once

#include "assay/base/fs.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

struct archive;

namespace assay::bases {

struct TarLimits {
    std::uint64_t bytes = 64ull << 30; // of all files together, unpacked
    std::uint64_t entries = 4'000'000;
};

struct TarResult {
    std::uint64_t entries = 0, bytes = 0;
    std::vector<std::string> left_out; // devices and the like, at most 100 named
};

// By its first bytes and header: tar, perhaps compressed with gzip, bzip2, xz or zstd.
bool looks_like_tar(const Path& file);

// `into` must exist and be empty or ours. Owners are kept as root, ignored otherwise.
TarResult extract_tar(const Path& file, const Path& into, const TarLimits& limits);
TarResult extract_tar_bytes(std::string_view bytes, const Path& into, const TarLimits& limits);

} // namespace assay::bases
