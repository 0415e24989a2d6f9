// The claims of a row, taken apart and cleaned as the official scorer does (services/scoring of the
// MCP Atlas repository): a JSON list, else a Python list, else text split at bullets, numbers, ';'
// or '||', else lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::atlas {

std::vector<std::string> parse_claims(std::string_view text);

// Bullet or number in front, curly quotes, dashes, ellipsis, quotes at the end.
std::string clean_claim(std::string_view text);

// A list or tuple of string literals as Python's repr writes it. nullopt: it is none.
std::optional<std::vector<std::string>> parse_python_list(std::string_view text);

} // namespace assay::atlas
