// What the small files of a checkpoint say about the ends of completions and their sampling.
#pragma once

#include "assay/base/fs.h"
#include "assay/engine/sampler.h"
#include "assay/engine/tokenizer.h"

#include <cstdint>
#include <vector>

namespace assay::engine {

struct GenerationConfig {
    std::vector<std::int32_t> stop_ids;
    SamplerSettings sampling; // of the model's makers; what they leave open is as without a file
};

// generation_config.json, else config.json, else the token that tokenizer_config.json names
// (`tokenizer` may be nullptr). Throws Error(Input) that names file and key.
GenerationConfig read_generation_config(FileSystem& files, const Path& folder,
                                        const Tokenizer* tokenizer);

} // namespace assay::engine
