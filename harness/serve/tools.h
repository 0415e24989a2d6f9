// What both protocols ask of a list of tools.
#pragma once

#include "assay/api/model.h"

#include <optional>
#include <vector>

namespace assay::serve {

// Names are there, usable and unique, and a choice names one of them. Throws ApiError.
void check_tools(const std::vector<ToolSpec>& tools, const std::optional<ToolChoice>& choice);

} // namespace assay::serve
