// What a model's provider is told of this process's environment.
#pragma once

#include "assay/base/redact.h"

#include <map>
#include <string>
#include <vector>

namespace assay {

// All of OPENAI_*, and what --model-env names (NAME or NAME=VALUE). The redactor learns the
// secrets. Throws Error(Usage) for a name that is not set.
std::map<std::string, std::string> model_environment(const std::vector<std::string>& named,
                                                     Redactor& redactor);

} // namespace assay
