#include "constrain/call_rules.h"

#include "assay/base/text.h"
#include "chat/markers.h"
#include "constrain/number_rules.h"
#include "constrain/pattern_rules.h"
#include "constrain/schema_merge.h"
#include "constrain/text_rules.h"

#include <algorithm>

namespace assay::engine {

namespace {

using Kind = Alternative::Kind;

constexpr std::size_t kLongestTag = 256;
constexpr std::string_view kSpaces = " \t\n\v\f\r";

bool is_tag(const std::string& name) {
    return !name.empty() && name.size() <= kLongestTag && name[0] != '/' && name != "invoke" &&
           name.find('>') == name.npos && !has_marker(name);
}

std::string tag(std::string_view name) {
    return std::string(markers::kNamespace) + "<" + std::string(name) + ">";
}

} // namespace

CallRules::CallRules(Grammar& grammar, Shapes& shapes, const ToolSchemas& views)
    : grammar_(grammar)
    , shapes_(shapes)
    , views_(views)
    , json_(grammar, shapes) {}

std::set<std::string_view> CallRules::types(View view) const {
    std::set<std::string_view> out;
    for (std::string_view type :
         {"null", "boolean", "integer", "number", "string", "array", "object"})
        if (views_.holds(view, type)) out.insert(type);
    return out;
}

bool CallRules::alone(Value value, Kind kind) {
    const auto& all = shapes_.alternatives(value.shape);
    return std::count_if(all.begin(), all.end(),
                         [&](const Alternative& one) { return one.kind == kind; }) == 1;
}

// The parser reads text as the letters of a string, or as JSON of the type it holds; with an array
// among the types, as an item of it, unless it is JSON of an array.
CallRules::Way CallRules::way(const Alternative& one, Value value) {
    std::set<std::string_view> held = types(value.view);
    if (held.contains("array") && one.kind != Kind::Array && one.kind != Kind::Literal)
        return Way::None;
    auto if_held = [&](std::string_view type) {
        return held.contains(type) ? Way::Text : Way::None;
    };
    switch (one.kind) {
    case Kind::Null:
        return if_held("null");
    case Kind::Boolean:
        return if_held("boolean");
    case Kind::Integer:
        return held.contains("number") ? Way::Text : if_held("integer");
    case Kind::Number:
        return if_held("number");
    case Kind::String:
        return held.empty() ? Way::Text : if_held("string");
    case Kind::Array:
        return held.contains("array") ? array_way(one, value) : Way::None;
    case Kind::Object:
        return held.contains("object") ? object_way(one, value) : Way::None;
    case Kind::Literal: {
        std::string text = literal_text(one);
        bool read_as_item = held.contains("array") && !text.starts_with('[');
        bool empty = trim(text).empty() && (held.contains("array") || held.contains("object"));
        bool same =
            Json::parse(views_.typed(text, value.view), nullptr, false) == Json::parse(one.literal);
        return same && !read_as_item && !empty && !has_marker(text) ? Way::Text : Way::None;
    }
    }
    return Way::None;
}

std::string CallRules::literal_text(const Alternative& one) const {
    Json value = Json::parse(one.literal);
    return value.is_string() ? value.get<std::string>() : one.literal;
}

CallRules::Way CallRules::object_way(const Alternative& one, Value value) {
    if (!alone(value, Kind::Object) || views_.holds(value.view, "string")) return Way::Json;
    if (one.others && one.properties.empty()) return Way::Json;
    for (const Property& property : one.properties) {
        Value child{property.shape, views_.property(value.view, property.name)};
        bool sayable = is_tag(property.name) && (property.shape == value.shape || can_say(child));
        if (property.required && !sayable) return Way::Json;
    }
    return Way::Elements;
}

CallRules::Way CallRules::array_way(const Alternative& one, Value value) {
    if (!alone(value, Kind::Array) || views_.holds(value.view, "string")) return Way::Json;
    if (!one.prefix.empty() || !one.items) return Way::Json;
    return can_say({*one.items, views_.items(value.view)}) ? Way::Elements : Way::Json;
}

// A value that holds itself is said if the way to it is: it counts as said while it is looked at.
bool CallRules::can_say(Value value) {
    auto [known, added] = can_say_.try_emplace(value, true);
    if (!added) return known->second;
    const auto& all = shapes_.alternatives(value.shape);
    bool any = std::any_of(all.begin(), all.end(),
                           [&](const Alternative& one) { return way(one, value) != Way::None; });
    return can_say_[value] = any;
}

// Without bounds: whatever the parser takes for one of the kinds, is one.
bool CallRules::free(Value value, std::initializer_list<Kind> kinds) {
    const auto& all = shapes_.alternatives(value.shape);
    return std::any_of(all.begin(), all.end(), [&](const Alternative& one) {
        return std::find(kinds.begin(), kinds.end(), one.kind) != kinds.end() && !one.low &&
               !one.high;
    });
}

// What the text of a string may not begin with, or it would be read as something else.
std::string CallRules::not_first(const Alternative&, Value value) {
    std::set<std::string_view> held = types(value.view);
    std::string out;
    if (held.contains("null") && !free(value, {Kind::Null})) out += "nN";
    if (held.contains("boolean") && !free(value, {Kind::Boolean})) out += "tTfF";
    bool number = held.contains("number");
    if ((number || held.contains("integer")) && !free(value, {Kind::Number}) &&
        (number || !free(value, {Kind::Integer})))
        out += "-0123456789";
    if (held.contains("object")) out += "{";
    if (!out.empty()) out += kSpaces; // which the parser skips
    return out;
}

RuleId CallRules::rule(Value value) {
    auto [known, added] = rules_.try_emplace(value, 0);
    if (added) {
        known->second = grammar_.rule();
        open_.emplace_back(value, known->second);
    }
    return known->second;
}

PlaceId CallRules::place(const Alternative& one, Way way, Value value, PlaceId next) {
    if (way == Way::Elements)
        return one.kind == Kind::Array ? items(one, value.view, next)
                                       : members(one, value.view, next);
    if (way == Way::Text && one.kind == Kind::Literal)
        return grammar_.literal(literal_text(one), next);
    if (way == Way::Text && one.kind == Kind::String) {
        if (one.pattern && !not_first(one, value).empty())
            refuse(one.where, "pattern", "cannot be enforced beside other types in a tool call");
        if (one.pattern) return pattern(grammar_, *one.pattern, one.where, false, next);
        return text(grammar_, {.min = one.min, .max = one.max, .not_first = not_first(one, value)},
                    next);
    }
    return json_.alternative(one, next);
}

PlaceId CallRules::element(const std::string& name, Value value, PlaceId next) {
    PlaceId close = grammar_.literal(tag("/" + name), next);
    return grammar_.literal(tag(name), grammar_.call(rule(value), close, true));
}

PlaceId CallRules::items(const Alternative& one, View view, PlaceId next) {
    LoopId loop = grammar_.loop(one.min, one.max, next);
    PlaceId count = grammar_.count(loop);
    grammar_.in_loop(loop);
    grammar_.set_body(count, element("item", {*one.items, views_.items(view)}, count));
    grammar_.in_loop(-1);
    return count;
}

PlaceId CallRules::members(const Alternative& one, View view, PlaceId next) {
    for (std::size_t i = one.properties.size(); i-- > 0;) {
        const Property& property = one.properties[i];
        Value child{property.shape, views_.property(view, property.name)};
        bool sayable = is_tag(property.name) && can_say(child);
        if (!sayable && property.required)
            refuse(one.where + "/properties" + pointer_step(property.name), "properties",
                   "what the schema allows cannot be said in the format of tool calls; name its "
                   "type");
        if (!sayable) continue;
        PlaceId said = element(property.name, child, next);
        next = property.required ? said : grammar_.split({said, next});
    }
    return next;
}

PlaceId CallRules::parameters(View view, PlaceId next) {
    std::vector<PlaceId> targets;
    for (const Alternative& one : shapes_.alternatives(shapes_.root()))
        if (one.kind == Kind::Object) targets.push_back(members(one, view, next));
    if (targets.empty())
        throw Error(ErrorKind::Input, "parameters: type: the arguments of a tool are an object");
    return grammar_.split(std::move(targets));
}

void CallRules::finish() {
    while (!open_.empty()) {
        auto [value, rule] = open_.back();
        open_.pop_back();
        PlaceId end = grammar_.end();
        std::vector<PlaceId> targets;
        for (const Alternative& one : shapes_.alternatives(value.shape))
            if (Way how = way(one, value); how != Way::None)
                targets.push_back(place(one, how, value, end));
        grammar_.set_start(rule, grammar_.split(std::move(targets)));
    }
    json_.finish();
}

} // namespace assay::engine
