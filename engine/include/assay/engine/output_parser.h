// What a MiniMax-M3 checkpoint generates, taken apart: reasoning, content, tool calls. Fed in
// pieces while the model writes; however the text is cut, the deltas add up to the same result.
//
//   auto parser = OutputParser::create(ThinkingMode::Adaptive, tools_json);
//   for (...) for (const OutputDelta& delta : parser->feed(text, ids)) show(delta);
//   parser->finish();
//   parser->result();
//
// Markers are matched as text, since models also spell them in ordinary tokens, with up to eight
// zero-width characters (U+200B, U+200C, U+200D, U+FEFF) between two of theirs. Implementations
// differ; what holds here, and whom it follows (names as in the specification of MiniMax-M3):
//
//   thinking       Enabled starts inside the reasoning (a repeated <mm:think> is dropped).
//   Otherwise
//                  the first marker decides, white space before it is dropped: <mm:think> opens
//                  reasoning even if it was Disabled, </mm:think> says that there is none. With
//                  neither the text is content (llama.cpp). Any later </mm:think> is dropped, any
//                  later <mm:think> is text. Inside reasoning nothing is a tool call.
//   block          NS<tool_call> ... NS</tool_call>; the outer pair may be missing. Text behind it
//   is
//                  dropped (vLLM, RTP), a further block is read. Blocks without a call are nothing.
//   invoke         NS<invoke name="..."> with double, single or no quotes, also without its "<",
//   and
//                  with white space behind any NS (SGLang). Calls of unknown tools are kept: the
//                  caller answers them. Name and arguments come at once, when the invoke is closed.
//   malformed      An invoke without a name, with an element that is closed but not open, never
//                  closed, nested deeper than 128 or larger than 16 MiB; the 1025th call; text
//                  between invokes: earlier calls are kept, and the text from there on is content,
//                  as it stands (vLLM stops there; we show what it was).
//   repaired       A first parameter without its opening tag gets the name of its closing tag. An
//                  element whose closing tag is missing ends where its parent ends, or where a
//                  parameter begins that its schema cannot hold and its parent's schema names.
//                  Other text between parameters is dropped.
//   tag names      Anything up to ">": "-A" is a name. NS without a tag behind it is text.
//   text           A value of a string schema is taken to the letter, with its white space: so what
//                  the template wrote comes back exactly (RTP and MLX strip). No schema: a string
//                  (vLLM, SGLang).
//   other types    Of white space stripped: integers, numbers as written, true and false (also
//   True,
//                  1, 0), null in any case; objects and arrays also as JSON. In a union whatever is
//                  not a string goes first. What fits no type stays a string, and the tool says so.
//   containers     Children of an array schema are items whatever their tag (vLLM); without schema
//                  only if all are called item. Repeated tags make a list (vLLM, MLX). Text beside
//                  children is under "$text" in an object, and dropped in an array. An empty
//                  element is [] or {} if its schema is a container, null if that is allowed, else
//                  "".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

enum class ThinkingMode { Adaptive, Enabled, Disabled };

struct ParsedCall {
    std::string name;
    std::string arguments; // a JSON object, in the order written
};

struct ParsedOutput {
    std::string reasoning, content;
    std::vector<ParsedCall> calls;
};

struct OutputDelta {
    enum class Kind { Reasoning, Content, CallName, CallArguments };
    Kind kind;
    std::size_t call = 0; // of CallName and CallArguments
    std::string text;
};

class OutputParser {
  public:
    // `tools`: the JSON array given to the template, or empty. Throws Error(Input) if it is
    // neither.
    static std::unique_ptr<OutputParser> create(ThinkingMode mode, std::string_view tools);
    virtual ~OutputParser() = default;

    // `ids`: the tokens behind the text, which are only kept. Text may be cut anywhere. Throws
    // Error(Input) for more than 256 MiB of text.
    virtual std::vector<OutputDelta> feed(std::string_view text,
                                          std::span<const std::int32_t> ids = {}) = 0;
    virtual std::vector<OutputDelta> finish() = 0; // the model has stopped
    virtual const ParsedOutput& result() const = 0;
    virtual const std::vector<std::int32_t>& ids() const = 0;
};

ParsedOutput parse_output(std::string_view text, ThinkingMode mode, std::string_view tools);

} // namespace assay::engine
