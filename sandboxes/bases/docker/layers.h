// Layers that were built, by key: the list of folders is kept, the folders are the runner's.
#pragma once

#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"

namespace assay::bases {

// An entry whose folders are gone is made again.
std::vector<BaseMount> cached_layer(Cache& cache, const std::string& name, const Cancel& cancel,
                                    const std::function<std::vector<BaseMount>()>& make);

} // namespace assay::bases
