// One NS<invoke ...> ... NS</invoke> as a call.
#pragma once

#include "assay/engine/output_parser.h"
#include "chat/tool_schemas.h"

#include <optional>
#include <string_view>

namespace assay::engine {

// `text` begins behind "<invoke" and ends before the NS of its closing tag. Nothing if it is
// malformed.
std::optional<ParsedCall> parse_invoke(std::string_view text, const ToolSchemas& schemas);

} // namespace assay::engine
