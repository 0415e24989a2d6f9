// A JSON schema validator for the tests: plain, slow, and written from the definition of each
// keyword, apart from what it checks.
#pragma once

#include <nlohmann/json.hpp>

#include <cmath>
#include <regex>
#include <string>

namespace validate {

using Json = nlohmann::json;

inline std::size_t characters(const std::string& text) {
    std::size_t count = 0;
    for (char c : text) count += (c & 0xC0) != 0x80;
    return count;
}

inline bool has_type(const Json& value, const std::string& type) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_boolean();
    if (type == "string") return value.is_string();
    if (type == "array") return value.is_array();
    if (type == "object" || type == "json_object") return value.is_object();
    if (type == "number") return value.is_number();
    return value.is_number_integer() ||
           (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
}

inline bool valid(const Json& value, const Json& schema, const Json& root);

inline bool valid_object(const Json& value, const Json& schema, const Json& root) {
    for (const Json& name : schema.value("required", Json::array()))
        if (!value.contains(name.get<std::string>())) return false;
    Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
        if (properties.contains(name)) {
            if (!valid(member, properties[name], root)) return false;
        } else if (schema.contains("additionalProperties") &&
                   !valid(member, schema["additionalProperties"], root)) {
            return false;
        }
    }
    return true;
}

inline bool valid_array(const Json& value, const Json& schema, const Json& root) {
    if (value.size() < schema.value("minItems", 0u)) return false;
    if (schema.contains("maxItems") && value.size() > schema["maxItems"]) return false;
    Json prefix = schema.value("prefixItems", Json::array()),
         items = schema.value("items", Json(true));
    if (items.is_array()) { // as drafts before 2020 had it
        prefix = items;
        items = schema.value("additionalItems", Json(true));
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (i < prefix.size()) {
            if (!valid(value[i], prefix[i], root)) return false;
        } else if (!valid(value[i], items, root)) {
            return false;
        }
    }
    return true;
}

inline bool valid_number(double value, const Json& schema) {
    auto bound = [&](const char* name, auto holds) {
        return !schema.contains(name) || holds(schema[name].get<double>());
    };
    return bound("minimum", [&](double of) { return value >= of; }) &&
           bound("maximum", [&](double of) { return value <= of; }) &&
           bound("exclusiveMinimum", [&](double of) { return value > of; }) &&
           bound("exclusiveMaximum", [&](double of) { return value < of; });
}

inline bool valid(const Json& value, const Json& schema, const Json& root) {
    if (schema.is_boolean()) return schema.get<bool>();
    if (schema.value("nullable", false) && value.is_null()) return true;
    auto holds = [&](const Json& part) { return valid(value, part, root); };
    if (schema.contains("$ref")) {
        std::string path = schema["$ref"].get<std::string>().substr(1);
        if (!holds(root.at(Json::json_pointer(path)))) return false;
    }
    if (schema.contains("allOf") &&
        !std::all_of(schema["allOf"].begin(), schema["allOf"].end(), holds))
        return false;
    if (schema.contains("anyOf") &&
        std::none_of(schema["anyOf"].begin(), schema["anyOf"].end(), holds))
        return false;
    if (schema.contains("oneOf") &&
        std::count_if(schema["oneOf"].begin(), schema["oneOf"].end(), holds) != 1)
        return false;
    if (schema.contains("const") && value != schema["const"]) return false;
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
        return false;
    if (schema.contains("type")) {
        Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
        if (std::none_of(types.begin(), types.end(),
                         [&](const Json& type) { return has_type(value, type); }))
            return false;
    }
    if (value.is_object()) return valid_object(value, schema, root);
    if (value.is_array()) return valid_array(value, schema, root);
    if (value.is_number()) return valid_number(value.get<double>(), schema);
    if (value.is_string()) {
        std::size_t length = characters(value.get<std::string>());
        if (schema.contains("pattern") &&
            !std::regex_search(value.get<std::string>(),
                               std::regex(schema["pattern"].get<std::string>())))
            return false;
        return length >= schema.value("minLength", 0u) &&
               (!schema.contains("maxLength") || length <= schema["maxLength"]);
    }
    return true;
}

} // namespace validate
