// Bases "tar:FILE": a root file system in a tar archive.
#pragma once

#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"

namespace assay::bases {

BaseImage make_tar_base(const std::string& name, Cache& cache, const Cancel& cancel);

} // namespace assay::bases
