// A checkpoint folder as Hugging Face writes it: config.json, safetensors in one file or in shards
// with an index. The files are mapped; names, shapes, types and offsets are checked before anything
// is computed.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/hash.h"
#include "assay/engine/config.h"
#include "assay/engine/weights.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

struct TensorUse {
    std::string kind; // "attention", "experts", ...
    Format format = Format::F32;
    std::uint64_t tensors = 0, parameters = 0, bytes = 0; // scales are no parameters
};

struct Inventory {
    std::vector<TensorUse> uses;
    std::vector<std::string> ignored; // known tensors that nothing is computed with

    std::uint64_t sum(std::uint64_t TensorUse::* part) const;
};

class Checkpoint {
  public:
    // Throws Error(Input): one error that lists what is missing, surplus or misshapen.
    static std::unique_ptr<Checkpoint> open(const Path& folder);
    virtual ~Checkpoint() = default;

    virtual const Path& folder() const = 0;
    virtual const ModelConfig& config() const = 0;
    virtual const Weights& weights() const = 0; // valid as long as the checkpoint
    virtual const Inventory& inventory() const = 0;
    std::uint64_t parameters() const { return inventory().sum(&TensorUse::parameters); }
    std::uint64_t bytes() const { return inventory().sum(&TensorUse::bytes); } // of used tensors
    // Reads all weights. Throws Error(Input) that lists tensors with NaN or infinite values; norms,
    // biases and scales were looked at when it was opened.
    virtual void check_values() const = 0;
    // Of config and tensor headers, sizes and times of the files: cheap, and another for other
    // weights.
    virtual Digest fingerprint() const = 0;
};

// The same checks of names, types and shapes without weights: `json` has an object of tensors by
// name with "dtype" and "shape", as in the headers of a release.
Inventory check_headers(const ModelConfig& config, std::string_view json, const std::string& file);

} // namespace assay::engine
