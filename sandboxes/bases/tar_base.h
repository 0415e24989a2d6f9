// Bases "tar:FILE": a root file system in a tar archive.
#pragma once

#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"

namespace assay::bases {

Path tar_file(const std::string& name); // of "tar:FILE", links followed; Error(Input) if absent

BaseImage make_tar_base(const std::string& name, Cache& cache, const Cancel& cancel);

} // namespace assay::bases
