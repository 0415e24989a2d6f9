#include "constrain/shapes.h"

#include "assay/base/json.h"
#include "constrain/schema_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

namespace assay::engine {

namespace {

using Kind = Alternative::Kind;

constexpr std::size_t kMostShapes = 10'000;
constexpr std::size_t kMostAlternatives = 2'000;
constexpr std::size_t kMostProperties = 1'000;
constexpr int kMostSteps = 64; // of references and unions, one leading to the next
constexpr std::uint32_t kLargestCount = 1u << 30;
constexpr double kExact = 1e15; // whole numbers that a double holds for certain

bool holds_any(const Json& schema, std::initializer_list<std::string_view> keywords) {
    return std::any_of(keywords.begin(), keywords.end(),
                       [&](std::string_view keyword) { return schema.contains(keyword); });
}

std::string_view type_name(const Json& value) {
    if (value.is_number_float()) return "number";
    if (value.is_number()) return "integer";
    return value.type_name();
}

Kind kind_named(std::string_view type) {
    if (type == "null") return Kind::Null;
    if (type == "boolean") return Kind::Boolean;
    if (type == "integer") return Kind::Integer;
    if (type == "number") return Kind::Number;
    if (type == "string") return Kind::String;
    return type == "array" ? Kind::Array : Kind::Object;
}

constexpr std::string_view kTypes[] = {"null",   "boolean", "integer", "number",
                                       "string", "array",   "object"};

} // namespace

struct Shapes::Shape {
    Json schema;
    std::string where;
    bool read = false;
    std::vector<Alternative> alternatives{};
};

class Shapes::Reader {
  public:
    Reader(const Json& root, std::string place, std::vector<std::unique_ptr<Shape>>& shapes)
        : root_(root)
        , place_(std::move(place))
        , shapes_(shapes) {}

    void first() { shape(root_, place_); }

    ShapeId shape(const Json& schema, const std::string& where) {
        auto [known, added] = ids_.try_emplace(schema.dump(), shapes_.size());
        if (!added) return known->second;
        if (shapes_.size() >= kMostShapes)
            throw Error(ErrorKind::Input, where + ": the schema has more than 10,000 parts");
        shapes_.push_back(std::make_unique<Shape>(Shape{schema, where}));
        return known->second;
    }

    void read(Shape& shape) {
        out_.clear();
        add(shape.schema, shape.where, 0);
        shape.alternatives = std::move(out_);
        shape.read = true;
    }

  private:
    void add(Json schema, std::string where, int steps) {
        if (steps > kMostSteps)
            throw Error(ErrorKind::Input, where + ": $ref: it leads back to itself");
        if (schema == true) schema = Json::object();
        if (!schema.is_object())
            throw Error(ErrorKind::Input, where + ": nothing fits it, or it is no schema");
        check_keywords(schema, where);
        if (take_reference(schema, where) || take_all(schema, where))
            return add(schema, where, steps + 1);
        for (std::string_view keyword : {"anyOf", "oneOf"})
            if (schema.contains(keyword)) return add_union(schema, where, keyword, steps);
        if (schema.value("type", Json()) == "json_object") schema = {{"type", "object"}};
        if (schema.contains("const") || schema.contains("enum"))
            add_values(schema, where);
        else
            add_types(schema, where);
        if (schema.value("nullable", Json(false)) == true && !schema.contains("enum"))
            put({Kind::Null, where});
    }

    void put(Alternative alternative) {
        if (out_.size() >= kMostAlternatives)
            refuse(alternative.where, "anyOf", "more than 2,000 alternatives");
        out_.push_back(std::move(alternative));
    }

    static Json taken(Json& schema, std::string_view keyword) {
        Json value = schema[std::string(keyword)];
        schema.erase(std::string(keyword));
        return value;
    }

    bool take_reference(Json& schema, std::string& where) {
        if (!schema.contains("$ref")) return false;
        Json reference = taken(schema, "$ref");
        if (!reference.is_string()) refuse(where, "$ref", "must be a string");
        Json target = referenced(root_, reference.get<std::string>(), where);
        bool alone = std::all_of(schema.items().begin(), schema.items().end(),
                                 [](const auto& item) { return is_annotation(item.key()); });
        std::string there = place_ + reference.get<std::string>().substr(1);
        if (alone) {
            schema = std::move(target);
            where = there;
        } else {
            Json& all = schema["allOf"]; // made if need be
            if (all.is_null()) all = Json::array();
            if (!all.is_array()) refuse(where, "allOf", "must be a list of schemas");
            all.push_back(std::move(target));
        }
        return true;
    }

    bool take_all(Json& schema, const std::string& where) {
        if (!schema.contains("allOf")) return false;
        Json parts = taken(schema, "allOf");
        if (!parts.is_array() || parts.empty()) refuse(where, "allOf", "must be a list of schemas");
        for (std::size_t i = 0; i < parts.size(); ++i) {
            Json part = parts[i];
            std::string there = where + "/allOf/" + std::to_string(i);
            for (int steps = 0; part.is_object() && holds_any(part, {"$ref", "allOf"}); ++steps) {
                if (steps > kMostSteps) refuse(there, "$ref", "it leads back to itself");
                check_keywords(part, there);
                if (!take_reference(part, there)) take_all(part, there);
            }
            if (part.is_object()) check_keywords(part, there);
            schema = merge_schemas(schema, part, there);
        }
        return true;
    }

    void add_union(Json schema, const std::string& where, std::string_view keyword, int steps) {
        Json parts = taken(schema, keyword);
        if (!parts.is_array() || parts.empty()) refuse(where, keyword, "must be a list of schemas");
        bool alone = std::all_of(schema.items().begin(), schema.items().end(),
                                 [](const auto& item) { return is_annotation(item.key()); });
        std::size_t before = out_.size();
        std::vector<std::size_t> ends;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            std::string there = fmt::format("{}/{}/{}", where, keyword, i);
            if (alone)
                add(parts[i], there, steps + 1);
            else
                add({{"allOf", Json::array({schema, parts[i]})}}, there, steps + 1);
            ends.push_back(out_.size());
        }
        if (keyword == "oneOf") check_apart(where, before, ends);
    }

    // oneOf is anyOf if no value fits two of its parts.
    void check_apart(const std::string& where, std::size_t begin,
                     const std::vector<std::size_t>& ends) {
        for (std::size_t part = 0; part < ends.size(); begin = ends[part++])
            for (std::size_t i = begin; i < ends[part]; ++i)
                for (std::size_t j = ends[part]; j < ends.back(); ++j)
                    if (!apart(out_[i], out_[j]))
                        refuse(where, "oneOf",
                               fmt::format("a value may fit both {} and {}: use anyOf",
                                           out_[i].where, out_[j].where));
    }

    bool apart(const Alternative& a, const Alternative& b) {
        auto is = [](const Alternative& one, Kind kind) { return one.kind == kind; };
        if ((a.implied || b.implied) && a.kind != b.kind) return false;
        if (is(a, Kind::Literal) && is(b, Kind::Literal)) return a.literal != b.literal;
        if (is(a, Kind::Literal)) return !fits_kind(a.literal, b.kind);
        if (is(b, Kind::Literal)) return !fits_kind(b.literal, a.kind);
        bool numbers = (is(a, Kind::Integer) && is(b, Kind::Number)) ||
                       (is(a, Kind::Number) && is(b, Kind::Integer));
        if (a.kind != b.kind) return !numbers;
        return is(a, Kind::Object) && tagged_apart(a, b);
    }

    static bool fits_kind(const std::string& literal, Kind kind) {
        Json value = Json::parse(literal);
        Kind own = kind_named(type_name(value));
        return own == kind ||
               (value.is_number() && (kind == Kind::Number || kind == Kind::Integer));
    }

    // Both require a property whose values are listed, and none is listed twice.
    bool tagged_apart(const Alternative& a, const Alternative& b) {
        for (const Property& one : a.properties)
            for (const Property& other : b.properties)
                if (one.name == other.name && one.required && other.required &&
                    listed_apart(one.shape, other.shape))
                    return true;
        return false;
    }

    bool listed_apart(ShapeId a, ShapeId b) {
        auto listed = [&](ShapeId id) {
            std::vector<std::string> values;
            const Json& schema = shapes_[id]->schema;
            if (!schema.is_object()) return values;
            if (schema.contains("const"))
                values.push_back(schema["const"].dump());
            else if (schema.contains("enum"))
                for (const Json& value : schema["enum"]) values.push_back(value.dump());
            return values;
        };
        std::vector<std::string> of_a = listed(a), of_b = listed(b);
        if (of_a.empty() || of_b.empty()) return false;
        return std::find_first_of(of_a.begin(), of_a.end(), of_b.begin(), of_b.end()) == of_a.end();
    }

    void add_values(const Json& schema, const std::string& where) {
        std::string_view keyword = schema.contains("const") ? "const" : "enum";
        for (const auto& [name, value] : schema.items())
            if (!is_annotation(name) && name != "type" && name != keyword && name != "nullable")
                refuse(where, name, fmt::format("cannot be enforced beside {}", keyword));
        Json values = schema[std::string(keyword)];
        if (keyword == "const") values = Json::array({values});
        if (!values.is_array() || values.empty())
            refuse(where, keyword, "must be a list of values");
        std::vector<std::string> types = types_of(schema, where);
        if (schema.value("nullable", Json(false)) == true) types.emplace_back("null");
        bool any = false;
        for (const Json& value : values) {
            auto fits = [&](const std::string& type) {
                return type == type_name(value) || (type == "number" && value.is_number());
            };
            if (std::none_of(types.begin(), types.end(), fits)) continue;
            put({.kind = Kind::Literal, .where = where, .literal = value.dump()});
            any = true;
        }
        if (!any) refuse(where, keyword, "no value is of the type");
    }

    std::vector<std::string> types_of(const Json& schema, const std::string& where) {
        Json types = schema.value("type", Json());
        if (types.is_null()) return types_meant(schema);
        if (types.is_string()) types = Json::array({types});
        if (!types.is_array() || types.empty()) refuse(where, "type", "must name types");
        std::vector<std::string> out;
        for (const Json& type : types) {
            if (!type.is_string() || std::find(std::begin(kTypes), std::end(kTypes),
                                               type.get<std::string>()) == std::end(kTypes))
                refuse(where, "type", type.dump() + " is not a type");
            out.push_back(type);
        }
        return out;
    }

    // Without a type, keywords for one type are taken to mean it.
    static std::vector<std::string> types_meant(const Json& schema) {
        std::vector<std::string> out;
        if (schema.contains("enum") || schema.contains("const")) {
            out.assign(std::begin(kTypes), std::end(kTypes));
            return out;
        }
        if (holds_any(schema, {"properties", "required", "additionalProperties"}))
            out.emplace_back("object");
        if (holds_any(schema, {"items", "prefixItems", "minItems", "maxItems"}))
            out.emplace_back("array");
        if (holds_any(schema, {"minLength", "maxLength", "pattern"})) out.emplace_back("string");
        if (holds_any(schema, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}))
            out.emplace_back("number");
        if (out.empty()) out = {"null", "boolean", "number", "string", "array", "object"};
        return out;
    }

    void add_types(const Json& schema, const std::string& where) {
        std::vector<std::string> types = types_of(schema, where);
        bool number = std::find(types.begin(), types.end(), "number") != types.end();
        for (const std::string& type : types) {
            if (type == "integer" && number) continue;
            Alternative made{.kind = kind_named(type), .where = where};
            made.implied = !schema.contains("type");
            switch (made.kind) {
            case Kind::Integer:
            case Kind::Number:
                read_bounds(schema, made);
                break;
            case Kind::String:
                read_string(schema, made);
                break;
            case Kind::Array:
                read_array(schema, made);
                break;
            case Kind::Object:
                read_object(schema, made);
                break;
            default:
                break;
            }
            put(std::move(made));
        }
    }

    static void read_counts(const Json& schema, std::string_view min, std::string_view max,
                            Alternative& made) {
        auto read = [&](std::string_view keyword, std::uint32_t& value) {
            auto found = schema.find(std::string(keyword));
            if (found == schema.end()) return;
            if (found->is_number_float() && *found == std::floor(found->get<double>()) &&
                *found >= 0 && *found < kLargestCount)
                value = static_cast<std::uint32_t>(found->get<double>());
            else if (found->is_number_unsigned() && *found < kLargestCount)
                value = found->get<std::uint32_t>();
            else
                refuse(made.where, keyword, "must be a whole number from 0 to 2^30");
        };
        read(min, made.min);
        read(max, made.max);
        if (made.min > made.max) refuse(made.where, min, fmt::format("is larger than {}", max));
    }

    static void read_string(const Json& schema, Alternative& made) {
        read_counts(schema, "minLength", "maxLength", made);
        auto pattern = schema.find("pattern");
        if (pattern == schema.end()) return;
        if (!pattern->is_string()) refuse(made.where, "pattern", "must be a string");
        made.pattern = pattern->get<std::string>();
        if (schema.contains("minLength") || schema.contains("maxLength"))
            refuse(made.where, "pattern", "cannot be enforced beside minLength and maxLength");
    }

    // A bound as a whole number: `up`, the next one above, for one that is not.
    static std::optional<std::int64_t> bound(const Json& schema, std::string_view keyword, bool up,
                                             const Alternative& made) {
        auto found = schema.find(std::string(keyword));
        if (found == schema.end()) return std::nullopt;
        if (!found->is_number()) refuse(made.where, keyword, "must be a number");
        auto value = found->get<double>();
        if (!(std::abs(value) <= kExact)) refuse(made.where, keyword, "beyond 10^15");
        if (made.kind == Kind::Number && value != std::floor(value))
            refuse(made.where, keyword, "only whole bounds can be enforced for a number");
        return static_cast<std::int64_t>(up ? std::ceil(value) : std::floor(value));
    }

    static void read_bounds(const Json& schema, Alternative& made) {
        auto below = bound(schema, "exclusiveMinimum", false, made);
        auto above = bound(schema, "exclusiveMaximum", true, made);
        made.low = bound(schema, "minimum", true, made);
        made.high = bound(schema, "maximum", false, made);
        bool whole = made.kind == Kind::Integer;
        if (below && (!made.low || *below + (whole ? 1 : 0) >= *made.low)) {
            made.low = *below + (whole ? 1 : 0);
            made.low_open = !whole;
        }
        if (above && (!made.high || *above - (whole ? 1 : 0) <= *made.high)) {
            made.high = *above - (whole ? 1 : 0);
            made.high_open = !whole;
        }
    }

    void read_array(const Json& schema, Alternative& made) {
        read_counts(schema, "minItems", "maxItems", made);
        auto items = schema.find("items"), prefix = schema.find("prefixItems");
        bool old = items != schema.end() && items->is_array(); // as drafts before 2020 had it
        if (old) {
            if (prefix != schema.end()) refuse(made.where, "items", "must be a schema");
            prefix = items;
            items = schema.find("additionalItems");
        }
        if (prefix != schema.end()) {
            if (!prefix->is_array()) refuse(made.where, "prefixItems", "must be a list of schemas");
            std::string there = made.where + (old ? "/items/" : "/prefixItems/");
            for (std::size_t i = 0; i < prefix->size(); ++i)
                made.prefix.push_back(shape((*prefix)[i], there + std::to_string(i)));
        }
        if (items == schema.end())
            made.items = shape(Json::object(), made.where);
        else if (*items != false)
            made.items = shape(*items, made.where + (old ? "/additionalItems" : "/items"));
        if (!made.items)
            made.max =
                std::min<std::uint32_t>(made.max, static_cast<std::uint32_t>(made.prefix.size()));
        if (made.min > made.max) refuse(made.where, "minItems", "there are not so many items");
    }

    // Properties that are only required come behind those described.
    void read_object(const Json& schema, Alternative& made) {
        Json properties = schema.value("properties", Json::object());
        Json required = schema.value("required", Json::array());
        if (!properties.is_object()) refuse(made.where, "properties", "must be an object");
        if (!required.is_array()) refuse(made.where, "required", "must be a list of names");
        for (const auto& [name, value] : properties.items())
            made.properties.push_back(
                {name, 0, std::find(required.begin(), required.end(), name) != required.end()});
        for (Property& property : made.properties)
            property.shape = shape(properties[property.name],
                                   made.where + "/properties" + pointer_step(property.name));
        bool closed = schema.contains("properties");
        Json others = schema.value("additionalProperties", Json(!closed));
        std::string there = made.where + "/additionalProperties";
        for (const Json& name : required) {
            if (!name.is_string()) refuse(made.where, "required", "must be a list of names");
            if (properties.contains(name.get<std::string>())) continue;
            if (others == false && schema.contains("additionalProperties"))
                refuse(made.where, "required", name.dump() + " is no property that is allowed");
            const Json any = Json::object();
            properties[name.get<std::string>()] = any;
            made.properties.push_back(
                {name, shape(others.is_object() ? others : any, there), true});
        }
        if (made.properties.size() > kMostProperties)
            refuse(made.where, "properties", "more than 1,000");
        if (others != false) made.others = shape(others, there);
    }

    const Json& root_;
    std::string place_;
    std::vector<std::unique_ptr<Shape>>& shapes_;
    std::unordered_map<std::string, ShapeId> ids_;
    std::vector<Alternative> out_;
};

Shapes::Shapes(const Json& schema, std::string place)
    : reader_(std::make_unique<Reader>(schema, std::move(place), shapes_)) {
    reader_->first();
}

Shapes::~Shapes() = default;

const std::vector<Alternative>& Shapes::alternatives(ShapeId id) {
    Shape& shape = *shapes_.at(id);
    if (!shape.read) reader_->read(shape);
    return shape.alternatives;
}

} // namespace assay::engine
