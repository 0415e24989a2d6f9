// All tensors of a checkpoint folder: one safetensors file, or several named by an index.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/hash.h"
#include "mapped_file.h"
#include "safetensors.h"

#include <string>
#include <vector>

namespace assay::engine {

struct Shards {
    std::vector<MappedFile> files;
    std::vector<Tensor> tensors; // names are unique
};

// `identity` takes in what tells these weights from others: headers, sizes and times. Throws
// Error(Input) or Error(Io).
Shards open_shards(const Path& folder, Sha256& identity);

} // namespace assay::engine
