// What several actions of `assay engine` read.
#pragma once

#include "arguments.h"
#include "assay/engine/engine.h"

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

std::vector<std::int32_t> read_token_ids(const std::string& file); // throws Error(Input)
int engine_threads(const EngineArguments& arguments);
engine::EngineOptions engine_options(const EngineArguments& arguments);

} // namespace assay
