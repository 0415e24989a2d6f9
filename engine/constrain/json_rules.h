// JSON that follows a schema, as a grammar.
#pragma once

#include "constrain/grammar.h"
#include "constrain/shapes.h"

#include <unordered_map>
#include <vector>

namespace assay::engine {

// White space: none, one space, or a line break and up to 32 spaces, behind each of [ { , : and
// before each of ] }. Properties come in the order of the schema, then those it only requires, then
// others.
class JsonRules {
  public:
    JsonRules(Grammar& grammar, Shapes& shapes); // borrowed

    // A rule for the value; its places are made by finish().
    RuleId value(ShapeId shape);
    PlaceId alternative(const Alternative& one, PlaceId next);
    void finish();

  private:
    PlaceId array(const Alternative& one, PlaceId next);
    PlaceId object(const Alternative& one, PlaceId next);
    PlaceId member(const Property& property, PlaceId next);
    PlaceId others(const Alternative& one, bool first, PlaceId next);
    PlaceId string(const Alternative& one, PlaceId next);
    PlaceId space(PlaceId next);

    Grammar& grammar_;
    Shapes& shapes_;
    RuleId space_;
    std::unordered_map<ShapeId, RuleId> rules_;
    std::vector<std::pair<ShapeId, RuleId>> open_;
};

} // namespace assay::engine
