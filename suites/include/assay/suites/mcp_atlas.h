// MCP Atlas: questions that are answered through MCP servers, each in a sandbox, and scored claim
// by claim by the model of the role `judge`. docs/suites/mcp-atlas.md has the settings.
#pragma once

#include "assay/api/suite.h"

#include <memory>

namespace assay {

std::unique_ptr<Suite> make_mcp_atlas(const Settings& settings);

} // namespace assay
