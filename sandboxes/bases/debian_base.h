// Bases "debian:SUITE[+package...]" by debootstrap (minbase), from the archive that the machine's
// own apt is set up for.
#pragma once

#include "assay/io/spawner.h"
#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"

#include <string>
#include <vector>

namespace assay::bases {

struct DebianName {
    std::string suite;
    std::vector<std::string> packages; // sorted, without repeats
};
DebianName parse_debian_name(std::string_view name); // "debian:trixie+curl"; Error(Usage)

BaseImage make_debian_base(const std::string& name, Cache& cache, Spawner& spawner,
                           const Cancel& cancel);

} // namespace assay::bases
