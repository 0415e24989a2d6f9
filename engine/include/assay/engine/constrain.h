// Constrained decoding: completions that follow a JSON schema, or that are valid tool calls.
//
//   auto vocabulary = Vocabulary::create(*tokenizer);            // once a tokenizer
//   std::unique_ptr<Constraint> one = constrain_json(*vocabulary, schema_text, {});
//   while (one->allowed() has an id) one->accept(choose(...));
//
// A grammar over bytes is compiled from the schema; of each state that a completion comes to, the
// mask over the vocabulary is kept, and shared by all completions of one schema. Only ordinary
// tokens are allowed, added ones among them where their text fits; special ones never are, but for
// the markers of M3's format where the grammar asks for their text.
//
// Whatever the model chooses, the completion ends: nesting and white space are bounded, and when a
// limit of TurnOptions is reached, only tokens are allowed that come nearer to the end (of the part
// that the limit is for) by the shortest way that the schema leaves.
//
// Constraints of one vocabulary may be used on several threads, each on one at a time.
#pragma once

#include "assay/engine/constraint.h"
#include "assay/engine/output_parser.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace assay::engine {

class Vocabulary {
  public:
    static std::shared_ptr<const Vocabulary> create(const Tokenizer& tokenizer);
    virtual ~Vocabulary() = default;
};

struct TurnOptions {
    // What the prompt ends with. Enabled: inside the reasoning. Adaptive: the model may reason.
    // Disabled: it may not.
    ThinkingMode thinking = ThinkingMode::Disabled;
    // Tokens; after so many the part is brought to its end.
    std::size_t reasoning_tokens = 16'384;
    std::size_t content_tokens = 16'384; // text before the first tool call
    std::size_t string_tokens = 8'192;   // each string value
    std::size_t total_tokens = 65'536;
};

// The turn is reasoning, if any, and one JSON value that `schema` (JSON Schema, or true, or
// {"type": "json_object"}) accepts. docs/engine.md lists the keywords. Throws Error(Input), which
// names keyword and JSON pointer, for a schema that is wrong, that nothing fits, or that cannot be
// enforced.
std::unique_ptr<Constraint> constrain_json(const Vocabulary& vocabulary, std::string_view schema,
                                           const TurnOptions& options);

struct ToolCallOptions : TurnOptions {
    enum class Choice {
        Auto,     // text, calls, or both; a block of calls that is begun must be completed
        Required, // at least one call
        Named,    // exactly one, of the tool `name`
    };
    Choice choice = Choice::Auto;
    std::string name{};
    std::size_t most_calls = 16; // in one turn
};

// The turn is reasoning, if any, content, and a block of tool calls in MiniMax-M3's own format, of
// which OutputParser makes arguments that the tools' schemas accept. `tools`: as for OutputParser.
// Throws Error(Input) as constrain_json() does, for tools too, and if there is no tool to call.
std::unique_ptr<Constraint> constrain_tool_calls(const Vocabulary& vocabulary,
                                                 std::string_view tools,
                                                 const ToolCallOptions& options);

} // namespace assay::engine
