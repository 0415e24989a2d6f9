#include "constrain/json_rules.h"

#include "constrain/number_rules.h"
#include "constrain/pattern_rules.h"
#include "constrain/schema_merge.h"
#include "constrain/text_rules.h"

namespace assay::engine {

namespace {

using Kind = Alternative::Kind;

constexpr std::uint32_t kWidestIndent = 32;

} // namespace

JsonRules::JsonRules(Grammar& grammar, Shapes& shapes)
    : grammar_(grammar)
    , shapes_(shapes)
    , space_(grammar.rule()) {
    PlaceId end = grammar_.end();
    LoopId loop = grammar_.loop(0, kWidestIndent, end);
    PlaceId indent = grammar_.count(loop);
    grammar_.in_loop(loop);
    grammar_.set_body(indent, grammar_.range(' ', ' ', indent));
    grammar_.in_loop(-1);
    grammar_.set_start(
        space_, grammar_.split({grammar_.bytes({{'\n', '\n', indent}, {' ', ' ', end}}), end}));
}

PlaceId JsonRules::space(PlaceId next) {
    return grammar_.call(space_, next, false);
}

RuleId JsonRules::value(ShapeId shape) {
    auto [known, added] = rules_.try_emplace(shape, 0);
    if (added) {
        known->second = grammar_.rule();
        open_.emplace_back(shape, known->second);
    }
    return known->second;
}

void JsonRules::finish() {
    while (!open_.empty()) {
        auto [shape, rule] = open_.back();
        open_.pop_back();
        PlaceId end = grammar_.end();
        std::vector<PlaceId> targets;
        for (const Alternative& one : shapes_.alternatives(shape))
            targets.push_back(alternative(one, end));
        grammar_.set_start(rule, grammar_.split(std::move(targets)));
    }
}

PlaceId JsonRules::alternative(const Alternative& one, PlaceId next) {
    switch (one.kind) {
    case Kind::Null:
        return grammar_.literal("null", next);
    case Kind::Boolean:
        return grammar_.split({grammar_.literal("true", next), grammar_.literal("false", next)});
    case Kind::Integer:
        return integer(grammar_, one.low.value_or(-kLargestInteger),
                       one.high.value_or(kLargestInteger), next);
    case Kind::Number:
        return number(grammar_, {one.low, one.high, one.low_open, one.high_open}, next);
    case Kind::String:
        return string(one, next);
    case Kind::Array:
        return array(one, next);
    case Kind::Object:
        return object(one, next);
    case Kind::Literal:
        if (has_marker(one.literal))
            refuse(one.where, "enum", "a value with a marker of the chat format cannot be said");
        return grammar_.literal(one.literal, next);
    }
    return next;
}

PlaceId JsonRules::string(const Alternative& one, PlaceId next) {
    PlaceId quote = grammar_.range('"', '"', next);
    if (one.pattern)
        return grammar_.range('"', '"', pattern(grammar_, *one.pattern, one.where, true, quote));
    TextRule rule{.json = true, .min = one.min, .max = one.max};
    return grammar_.range('"', '"', text(grammar_, rule, quote));
}

// [ first, second, ... ]: the items of the prefix one by one, then a loop.
PlaceId JsonRules::array(const Alternative& one, PlaceId next) {
    PlaceId close = grammar_.range(']', ']', next);
    PlaceId end = space(close);
    auto fixed = static_cast<std::uint32_t>(one.prefix.size());
    auto comma = [&](PlaceId item) { return grammar_.range(',', ',', space(item)); };
    PlaceId at = end; // behind item number `fixed`
    PlaceId none = end;
    if (one.items && one.max > fixed) {
        std::uint32_t done = fixed == 0 ? 1 : fixed; // before the loop
        std::uint32_t max = one.max == Grammar::kUnbounded ? one.max : one.max - done;
        LoopId loop = grammar_.loop(one.min > done ? one.min - done : 0, max, end);
        PlaceId count = grammar_.count(loop);
        grammar_.in_loop(loop);
        grammar_.set_body(count, comma(grammar_.call(value(*one.items), count, true)));
        grammar_.in_loop(-1);
        at = count;
        if (fixed == 0) none = grammar_.call(value(*one.items), count, true);
    }
    for (std::uint32_t i = fixed; i-- > 0;) {
        if (i >= one.max) continue;
        // Behind item i the array may end if it has enough.
        if (i + 1 < fixed && i + 1 < one.max) at = comma(at);
        if (i + 1 >= one.min && at != end) at = grammar_.split({at, end});
        at = grammar_.call(value(one.prefix[i]), at, true);
        none = at;
    }
    std::vector<PlaceId> starts;
    if (one.max > 0 && none != end) starts.push_back(space(none));
    if (one.min == 0) starts.push_back(space(close));
    return grammar_.range('[', '[', grammar_.split(std::move(starts)));
}

PlaceId JsonRules::member(const Property& property, PlaceId next) {
    std::string key = Json(property.name).dump() + ":";
    return grammar_.literal(key, space(grammar_.call(value(property.shape), next, true)));
}

// Properties of other names, any number of them.
PlaceId JsonRules::others(const Alternative& one, bool first, PlaceId next) {
    PlaceId end = space(next);
    if (!one.others) return end;
    LoopId loop = grammar_.loop(0, Grammar::kUnbounded, end);
    PlaceId count = grammar_.count(loop);
    TextRule key{.json = true, .region = Region::String, .escapes = one.properties.empty()};
    for (const Property& property : one.properties) key.not_whole.push_back(property.name);
    RuleId name = grammar_.rule();
    grammar_.set_start(
        name,
        grammar_.range('"', '"', text(grammar_, key, grammar_.range('"', '"', grammar_.end()))));
    auto pair = [&](PlaceId behind) {
        PlaceId colon =
            grammar_.range(':', ':', space(grammar_.call(value(*one.others), behind, true)));
        return grammar_.call(name, colon, false);
    };
    grammar_.in_loop(loop);
    grammar_.set_body(count, grammar_.range(',', ',', space(pair(count))));
    grammar_.in_loop(-1);
    return first ? grammar_.split({space(pair(count)), end}) : count;
}

// Back to front, each place once with and once without a property before it.
PlaceId JsonRules::object(const Alternative& one, PlaceId next) {
    PlaceId close = grammar_.range('}', '}', next);
    PlaceId first = others(one, true, close), later = others(one, false, close);
    for (std::size_t i = one.properties.size(); i-- > 0;) {
        const Property& property = one.properties[i];
        if (has_marker(property.name))
            refuse(one.where + "/properties" + pointer_step(property.name), "properties",
                   "a name with a marker of the chat format cannot be said");
        PlaceId said = member(property, later);
        PlaceId said_later = grammar_.range(',', ',', space(said)), said_first = space(said);
        first = property.required ? said_first : grammar_.split({said_first, first});
        later = property.required ? said_later : grammar_.split({said_later, later});
    }
    return grammar_.range('{', '{', first);
}

} // namespace assay::engine
