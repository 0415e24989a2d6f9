// From tensors by name to weights by place.
#pragma once

#include "assay/engine/checkpoint.h"
#include "safetensors.h"

#include <string>
#include <vector>

namespace assay::engine {

struct Mapping {
    Weights weights; // without data if the tensors have none
    Inventory inventory;
    std::vector<const Tensor*> used; // in the order of their data
};

// The weights point to the data of `tensors`. Throws Error(Input) that lists all faults; `where` is
// the folder or file.
Mapping map_tensors(const ModelConfig& config, const std::vector<Tensor>& tensors,
                    const std::string& where);

} // namespace assay::engine
