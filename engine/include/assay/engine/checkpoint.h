// A checkpoint folder as Hugging Face writes it: config.json, safetensors in one file or in shards
// with an index. The files are mapped; names, shapes, types and offsets are checked before anything
// is computed.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/hash.h"
#include "assay/engine/config.h"
#include "assay/engine/weights.h"

#include <memory>
#include <string>

namespace assay::engine {

class Checkpoint {
  public:
    // Throws Error(Input): one error that lists what is missing, surplus or misshapen.
    static std::unique_ptr<Checkpoint> open(const Path& folder);
    virtual ~Checkpoint() = default;

    virtual const Path& folder() const = 0;
    virtual const ModelConfig& config() const = 0;
    virtual const Weights& weights() const = 0; // valid as long as the checkpoint
    virtual std::uint64_t parameters() const = 0;
    virtual std::uint64_t bytes() const = 0; // of the tensors that are used
    // Of config and tensor headers, sizes and times of the files: cheap, and another for other
    // weights.
    virtual Digest fingerprint() const = 0;
};

} // namespace assay::engine
