#include "constrain/schema_merge.h"

#include "assay/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine {

namespace {

constexpr std::string_view kAnnotations[] = {"title",
                                             "description",
                                             "default",
                                             "example",
                                             "examples",
                                             "$schema",
                                             "$id",
                                             "id",
                                             "$comment",
                                             "$defs",
                                             "definitions",
                                             "deprecated",
                                             "readOnly",
                                             "writeOnly",
                                             "format",
                                             "discriminator",
                                             "$anchor",
                                             "contentEncoding",
                                             "contentMediaType",
                                             "strict"};

constexpr std::string_view kAssertions[] = {"type",
                                            "properties",
                                            "required",
                                            "additionalProperties",
                                            "enum",
                                            "const",
                                            "anyOf",
                                            "oneOf",
                                            "allOf",
                                            "$ref",
                                            "items",
                                            "prefixItems",
                                            "minItems",
                                            "maxItems",
                                            "minLength",
                                            "maxLength",
                                            "minimum",
                                            "maximum",
                                            "exclusiveMinimum",
                                            "exclusiveMaximum",
                                            "pattern",
                                            "nullable",
                                            "additionalItems"};

template<class List>
bool contains(const List& list, std::string_view name) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// A keyword that says nothing with this value.
bool harmless(std::string_view keyword, const Json& value) {
    if (keyword == "uniqueItems") return value == false;
    if (keyword == "minProperties") return value == 0;
    if (keyword == "unevaluatedProperties" || keyword == "unevaluatedItems") return value == true;
    if (keyword == "patternProperties" || keyword == "dependentRequired")
        return value.is_object() && value.empty();
    return false;
}

Json union_of(const Json& a, const Json& b) {
    Json out = a;
    for (const Json& value : b)
        if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
    return out;
}

Json as_list(const Json& value) {
    return value.is_array() ? value : Json::array({value});
}

Json common(const Json& a, const Json& b, std::string_view keyword, const std::string& where) {
    Json out = Json::array();
    for (const Json& value : a)
        for (const Json& other : b) {
            bool both_whole = (value == "integer" && other == "number") ||
                              (value == "number" && other == "integer");
            if (value == other)
                out.push_back(value);
            else if (keyword == "type" && both_whole)
                out.push_back("integer");
        }
    if (out.empty()) refuse(where, keyword, "nothing fits both parts of allOf");
    return out;
}

Json both_properties(const Json& a, const Json& b) {
    Json out = a;
    for (const auto& [name, value] : b.items()) {
        auto found = out.find(name);
        if (found == out.end())
            out[name] = value;
        else if (*found != value)
            *found = {{"allOf", Json::array({*found, value})}};
    }
    return out;
}

Json both(std::string_view keyword, const Json& a, const Json& b, const std::string& where) {
    if (a == b || is_annotation(keyword)) return a;
    bool lists = a.is_array() && b.is_array(), numbers = a.is_number() && b.is_number();
    if (keyword == "required" && lists) return union_of(a, b);
    if (keyword == "properties" && a.is_object() && b.is_object()) return both_properties(a, b);
    if (keyword == "type") return common(as_list(a), as_list(b), keyword, where);
    if (keyword == "enum" && lists) return common(a, b, keyword, where);
    if (numbers && (keyword.starts_with("min") || keyword == "exclusiveMinimum"))
        return std::max(a, b);
    if (numbers && (keyword.starts_with("max") || keyword == "exclusiveMaximum"))
        return std::min(a, b);
    if (keyword == "items") return {{"allOf", Json::array({a, b})}};
    refuse(where, keyword, "stands in two parts that must both hold, and they cannot be merged");
}

// Properties that one part alone names are not additional to the other.
void check_closed(const Json& a, const Json& b, const std::string& where) {
    auto others = [](const Json& schema) {
        auto found = schema.find("additionalProperties");
        return found != schema.end() && *found != true && found->dump() != "{}";
    };
    auto names = [](const Json& schema) { return schema.value("properties", Json::object()); };
    auto lacks = [](const Json& in, const Json& of) {
        return std::any_of(of.items().begin(), of.items().end(),
                           [&](const auto& item) { return !in.contains(item.key()); });
    };
    if ((others(a) && lacks(names(a), names(b))) || (others(b) && lacks(names(b), names(a))))
        refuse(where, "additionalProperties",
               "does not hold for the properties of another part that must hold too");
}

} // namespace

void refuse(const std::string& where, std::string_view keyword, std::string_view why) {
    throw Error(ErrorKind::Input, fmt::format("{}: {}: {}", where, keyword, why));
}

bool is_annotation(std::string_view keyword) {
    return contains(kAnnotations, keyword) || keyword.starts_with("x-");
}

void check_keywords(const Json& schema, const std::string& where) {
    for (const auto& [keyword, value] : schema.items())
        if (!is_annotation(keyword) && !contains(kAssertions, keyword) && !harmless(keyword, value))
            refuse(where, keyword, "cannot be enforced while decoding");
}

std::string pointer_step(std::string_view name) {
    return "/" + replace_all(replace_all(std::string(name), "~", "~0"), "/", "~1");
}

const Json& referenced(const Json& root, const std::string& reference, const std::string& where) {
    if (!reference.starts_with("#") || (reference.size() > 1 && reference[1] != '/'))
        refuse(where, "$ref", "only places in the same schema (#/...) can be referred to");
    const Json* at = &root;
    for (std::string_view part : split(std::string_view(reference).substr(1), '/')) {
        if (part.empty() && at == &root) continue; // before the first slash
        std::string name = replace_all(replace_all(std::string(part), "~1", "/"), "~0", "~");
        bool index = at->is_array() && !name.empty() && name.size() < 6 &&
                     name.find_first_not_of("0123456789") == name.npos;
        if (at->is_object() && at->contains(name))
            at = &(*at)[name];
        else if (index && std::stoul(name) < at->size())
            at = &(*at)[std::stoul(name)];
        else
            refuse(where, "$ref", reference + " is not there");
    }
    return *at;
}

Json merge_schemas(const Json& a, const Json& b, const std::string& where) {
    if (a == true) return b;
    if (b == true) return a;
    if (!a.is_object() || !b.is_object())
        refuse(where, "allOf", "its parts must be schemas that something fits");
    check_closed(a, b, where);
    Json out = a;
    for (const auto& [keyword, value] : b.items()) {
        auto found = out.find(keyword);
        if (found == out.end())
            out[keyword] = value;
        else
            *found = both(keyword, *found, value, where);
    }
    return out;
}

} // namespace assay::engine
