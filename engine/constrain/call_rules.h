// Arguments of a tool call in M3's format, as a grammar: what the output parser makes of them is
// what the tool's schema accepts.
//
// The parser types each value by its own, simpler view of the schema (ToolSchemas); so each way to
// say a value is checked against that view, and left out if the parser would read it as something
// else. Objects and arrays are said as elements, or as JSON text where elements would be misread:
// unions of several, other names beside the properties', tuples, names that are no tags.
#pragma once

#include "chat/tool_schemas.h"
#include "constrain/json_rules.h"

#include <map>
#include <set>

namespace assay::engine {

class CallRules {
  public:
    CallRules(Grammar& grammar, Shapes& shapes, const ToolSchemas& views); // borrowed

    // The elements of all parameters. Throws Error(Input) if they cannot be said.
    PlaceId parameters(ToolSchemas::Schema view, PlaceId next);
    void finish();

  private:
    using View = ToolSchemas::Schema;
    struct Value {
        ShapeId shape;
        View view;
        auto operator<=>(const Value&) const = default;
    };
    enum class Way { None, Text, Json, Elements };

    std::set<std::string_view> types(View view) const; // that the parser takes it to hold
    Way way(const Alternative& one, Value value);
    Way object_way(const Alternative& one, Value value);
    Way array_way(const Alternative& one, Value value);
    bool can_say(Value value);
    bool alone(Value value, Alternative::Kind kind);
    std::string literal_text(const Alternative& one) const;
    std::string not_first(const Alternative& one, Value value);
    bool free(Value value, std::initializer_list<Alternative::Kind> kinds);

    RuleId rule(Value value);
    PlaceId place(const Alternative& one, Way way, Value value, PlaceId next);
    PlaceId members(const Alternative& one, View view, PlaceId next);
    PlaceId items(const Alternative& one, View view, PlaceId next);
    PlaceId element(const std::string& name, Value value, PlaceId next);

    Grammar& grammar_;
    Shapes& shapes_;
    const ToolSchemas& views_;
    JsonRules json_;
    std::map<Value, RuleId> rules_;
    std::vector<std::pair<Value, RuleId>> open_;
    std::map<Value, bool> can_say_;
};

} // namespace assay::engine
