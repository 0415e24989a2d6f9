// Random JSON schemas of the kinds that tools have.
#pragma once

#include "walks.h"

#include <nlohmann/json.hpp>

namespace random_schema {

using Json = nlohmann::ordered_json;
using walks::Dice;

inline Json value(Dice& dice, int depth);

inline Json scalar(Dice& dice) {
    switch (dice.below(9)) {
    case 0:
        return {{"type", "boolean"}};
    case 1:
        return {{"type", "integer"}, {"minimum", 3}, {"maximum", 40}};
    case 2:
        return {{"type", "number"}, {"exclusiveMinimum", 0}};
    case 3:
        return {{"enum", {"red", "dark blue", "null", "7", "{"}}};
    case 4:
        return {{"type", {"string", "null"}}};
    case 5:
        return {{"type", {"integer", "string"}}, {"minLength", 1}};
    case 6:
        return {{"type", "string"}, {"minLength", 2}, {"maxLength", 5}};
    case 7:
        return {{"enum", {1, "one", false, nullptr}}};
    default:
        return {{"type", "string"}};
    }
}

inline Json object(Dice& dice, int depth) {
    static const char* const kNames[] = {"a", "-A", "path", "item", "\xC3\xA9t\xC3\xA9", "b c"};
    Json out = {{"type", "object"}, {"properties", Json::object()}};
    std::size_t count = dice.below(4);
    Json required = Json::array();
    for (std::size_t i = 0; i < count; ++i) {
        std::string name = kNames[dice.below(6)];
        out["properties"][name] = value(dice, depth - 1);
        if (dice.below(2) == 0 &&
            std::find(required.begin(), required.end(), name) == required.end())
            required.push_back(name);
    }
    if (!required.empty()) out["required"] = required;
    if (dice.below(4) == 0) out["additionalProperties"] = value(dice, depth - 1);
    return out;
}

inline Json array(Dice& dice, int depth) {
    Json out = {{"type", "array"}, {"items", value(dice, depth - 1)}};
    if (dice.below(3) == 0) out["minItems"] = 1;
    if (dice.below(3) == 0) out["maxItems"] = 3;
    if (dice.below(6) == 0) out["prefixItems"] = Json::array({value(dice, depth - 1)});
    return out;
}

inline Json value(Dice& dice, int depth) {
    if (depth <= 0) return scalar(dice);
    switch (dice.below(8)) {
    case 0:
    case 1:
        return object(dice, depth);
    case 2:
    case 3:
        return array(dice, depth);
    case 4:
        return {{"anyOf", {value(dice, depth - 1), value(dice, depth - 1)}}};
    case 5:
        return {{"type", {"object", "null"}}, {"properties", {{"k", scalar(dice)}}}};
    case 6:
        return Json::object();
    default:
        return scalar(dice);
    }
}

} // namespace random_schema
