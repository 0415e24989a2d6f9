#include "assay/base/json.h"
#include "chat/markers.h"
#include "constrain/json_rules.h"
#include "constrain/matcher.h"
#include "constrain/schema_merge.h"
#include "constrain/text_rules.h"
#include "constrain/turn.h"

#include <fmt/format.h>

namespace assay::engine {

namespace {

constexpr std::size_t kLargestSchema = 1u << 20;

Json parse_schema(std::string_view text) {
    if (text.size() > kLargestSchema) throw Error(ErrorKind::Input, "schema: larger than 1 MiB");
    Json schema = parse_json<Json>(text);
    if (schema.is_discarded())
        throw Error(ErrorKind::Input, "schema: it is not JSON, or is nested deeper than 200");
    return schema;
}

Grammar json_grammar(std::string_view text, ThinkingMode thinking) {
    Grammar grammar;
    Json schema = parse_schema(text);
    Shapes shapes(schema, "schema");
    JsonRules rules(grammar, shapes);
    RuleId value = rules.value(shapes.root());
    rules.finish();
    RuleId turn = grammar.rule();
    PlaceId answer = grammar.call(value, grammar.end(), false);
    grammar.set_start(turn, behind_reasoning(grammar, thinking, answer));
    grammar.finish(turn);
    if (grammar.distance(grammar.start(value), 0) >= Grammar::kNever)
        throw Error(ErrorKind::Input, "schema: no value fits it: a part needs itself or has no "
                                      "value");
    return grammar;
}

} // namespace

PlaceId behind_reasoning(Grammar& grammar, ThinkingMode mode, PlaceId answer) {
    if (mode == ThinkingMode::Disabled) return answer;
    TextRule reasoning{.region = Region::Reasoning};
    PlaceId inside = text(grammar, reasoning, grammar.literal(markers::kThinkEnd, answer));
    if (mode == ThinkingMode::Enabled) return inside;
    return grammar.split({grammar.literal(markers::kThink, inside),
                          grammar.literal(markers::kThinkEnd, answer), answer});
}

std::unique_ptr<Constraint> constrain_json(const Vocabulary& vocabulary, std::string_view schema,
                                           const TurnOptions& options) {
    std::string key = fmt::format("json {} {}", static_cast<int>(options.thinking), schema);
    return dynamic_cast<const TrieVocabulary&>(vocabulary)
        .constraint(key, [&] { return json_grammar(schema, options.thinking); }, options);
}

} // namespace assay::engine
