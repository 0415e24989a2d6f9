// JSON schemas: which keywords are known, references, and two schemas that must both hold as one.
#pragma once

#include "assay/base/error.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace assay::engine {

using Json = nlohmann::ordered_json;

// "schema /properties/a: pattern: why".
[[noreturn]] void refuse(const std::string& where, std::string_view keyword, std::string_view why);

bool is_annotation(std::string_view keyword); // says nothing about what is valid
void check_keywords(const Json& schema, const std::string& where);

// The schema that "#/..." names. `where` is where the reference stands.
const Json& referenced(const Json& root, const std::string& reference, const std::string& where);
std::string pointer_step(std::string_view name); // "/NAME", escaped

// Throws where both cannot be said in one.
Json merge_schemas(const Json& a, const Json& b, const std::string& where);

} // namespace assay::engine
