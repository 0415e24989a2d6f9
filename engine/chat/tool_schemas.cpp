#include "chat/tool_schemas.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace assay::engine {

namespace {

using Json = nlohmann::json;
using Schema = ToolSchemas::Schema;

constexpr int kMostReferences = 16;
constexpr int kMostVisits = 1000; // parts of a union

Schema member(Schema of, std::string_view name) {
    if (!of || !of->is_object()) return nullptr;
    auto found = of->find(name);
    return found == of->end() ? nullptr : &*found;
}

std::string_view text_of(Schema value) {
    return value && value->is_string() ? std::string_view(value->get_ref<const std::string&>())
                                       : std::string_view();
}

std::string_view type_of(const Json& value) {
    if (value.is_number_float()) return "number";
    if (value.is_number()) return "integer";
    return value.type_name(); // string, boolean, null, array, object
}

bool is_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
    return text.find_first_not_of("0123456789") == text.npos;
}

} // namespace

ToolSchemas::ToolSchemas(std::string_view tools)
    : tools_(std::make_unique<Json>()) {
    if (trim(tools).empty()) return;
    *tools_ = parse_json<Json>(tools);
    if (!tools_->is_array() && !tools_->is_null())
        throw Error(ErrorKind::Input, "tools: not a JSON array");
}

ToolSchemas::~ToolSchemas() = default;

Schema ToolSchemas::arguments_of(std::string_view tool) const {
    root_ = nullptr;
    for (const Json& entry : *tools_) {
        Schema function = member(&entry, "function");
        if (!function) function = &entry;
        if (text_of(member(function, "name")) == tool) root_ = member(function, "parameters");
    }
    return root_;
}

// Follows "$ref": "#/...", within the tool's own schema.
Schema ToolSchemas::resolve(Schema schema) const {
    for (int i = 0; i < kMostReferences; ++i) {
        std::string_view reference = text_of(member(schema, "$ref"));
        if (!reference.starts_with("#")) return schema;
        schema = root_;
        for (std::string_view part : split(reference.substr(1), '/'))
            if (!part.empty()) schema = member(schema, part);
    }
    return nullptr;
}

// The part of a union that has the type; the schema itself if it has.
Schema ToolSchemas::variant(Schema schema, std::string_view type) const {
    struct Level {
        Schema schema;
        int depth;
    };
    std::vector<Level> open{{schema, 0}};
    for (int visits = 0; !open.empty() && visits < kMostVisits; ++visits) {
        auto [raw, depth] = open.back();
        open.pop_back();
        Schema here = resolve(raw);
        if (!here || !here->is_object() || depth > kMostReferences) continue;
        Schema types = member(here, "type");
        if (types && types->is_string() && *types == type) return here;
        if (types && types->is_array())
            for (const Json& one : *types)
                if (one == type) return here;
        Schema nullable = member(here, "nullable");
        if (type == "null" && nullable && *nullable == true) return here;
        if (!types) {
            if (type == "object" && member(here, "properties")) return here;
            if (type == "array" && member(here, "items")) return here;
            if (Schema only = member(here, "const"); only && type_of(*only) == type) return here;
            if (Schema values = member(here, "enum"); values && values->is_array())
                for (const Json& value : *values)
                    if (type_of(value) == type) return here;
        }
        for (std::string_view kind : {"allOf", "oneOf", "anyOf"}) {
            Schema parts = member(here, kind);
            if (!parts || !parts->is_array()) continue;
            for (auto part = parts->rbegin(); part != parts->rend(); ++part)
                open.push_back({&*part, depth + 1});
        }
    }
    return nullptr;
}

bool ToolSchemas::holds(Schema schema, std::string_view type) const {
    return variant(schema, type) != nullptr;
}

bool ToolSchemas::known(Schema schema) const {
    for (std::string_view type :
         {"string", "integer", "number", "boolean", "null", "array", "object"})
        if (holds(schema, type)) return true;
    return false;
}

Schema ToolSchemas::property(Schema object, std::string_view name) const {
    Schema schema = variant(object, "object");
    if (Schema found = member(member(schema, "properties"), name)) return found;
    Schema others = member(schema, "additionalProperties");
    return others && others->is_object() ? others : nullptr;
}

bool ToolSchemas::names(Schema object, std::string_view property) const {
    return member(member(variant(object, "object"), "properties"), property) != nullptr;
}

Schema ToolSchemas::items(Schema array) const {
    Schema found = member(variant(array, "array"), "items");
    return found && found->is_object() ? found : nullptr;
}

std::string ToolSchemas::typed(std::string_view text, Schema schema) const {
    std::string_view bare = trim(text);
    if (equals_nocase(bare, "null") && holds(schema, "null")) return "null";
    bool number = holds(schema, "number");
    if ((number || holds(schema, "integer")) && is_integer(bare)) return std::string(bare);
    if (number && !bare.empty() && parse_json<Json>(bare).is_number()) return std::string(bare);
    if (holds(schema, "boolean")) {
        bool digits = !holds(schema, "integer") && !number && !holds(schema, "string");
        if (equals_nocase(bare, "true") || (digits && bare == "1")) return "true";
        if (equals_nocase(bare, "false") || (digits && bare == "0")) return "false";
    }
    if (bare.starts_with('{') && holds(schema, "object") && parse_json<Json>(bare).is_object())
        return std::string(bare);
    if (bare.starts_with('[') && holds(schema, "array") && parse_json<Json>(bare).is_array())
        return std::string(bare);
    if (bare.empty() && !holds(schema, "string") && holds(schema, "null")) return "null";
    return json_quote(text);
}

} // namespace assay::engine
