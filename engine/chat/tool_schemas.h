// The JSON schemas of the tools, and values typed by them. A schema is a pointer into the tools;
// null if there is none.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace assay::engine {

class ToolSchemas {
  public:
    explicit ToolSchemas(std::string_view tools); // throws Error(Input)
    ~ToolSchemas();

    using Schema = const nlohmann::json*;
    Schema arguments_of(std::string_view tool) const;
    Schema property(Schema object, std::string_view name) const; // also additionalProperties
    bool names(Schema object, std::string_view property) const;  // among its properties
    Schema items(Schema array) const;

    bool holds(Schema schema, std::string_view type) const; // "array", "object", "string", ...
    bool known(Schema schema) const;                        // says anything of types
    // The JSON of a value written as text.
    std::string typed(std::string_view text, Schema schema) const;

  private:
    Schema resolve(Schema schema) const;
    Schema variant(Schema schema, std::string_view type) const;

    std::unique_ptr<nlohmann::json> tools_;
    mutable Schema root_ = nullptr; // of the tool in use: what "#/..." refers to
};

} // namespace assay::engine
