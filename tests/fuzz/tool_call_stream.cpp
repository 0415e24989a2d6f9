// A model's output, cut as the first bytes say: the sum of the deltas must be what the whole text
// gives, and arguments must be JSON objects.
#include "assay/engine/output_parser.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace assay::engine;

namespace {

constexpr std::string_view kTools =
    R"([{"name": "t", "parameters": {"properties": {"s": {"type": "string"},
    "i": {"type": "integer"}, "f": {"type": ["number", "null"]}, "b": {"type": "boolean"},
    "ss": {"type": "array", "items": {"type": "string"}},
    "o": {"type": "object", "properties": {"k": {"type": "string"}, "n": {"$ref": "#/x"}}}}}}])";

void demand(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    auto mode = static_cast<ThinkingMode>(data[0] % 3);
    std::size_t step = data[1] % 24 + 1;
    std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    ParsedOutput whole = parse_output(text, mode, kTools), sum;
    auto parser = OutputParser::create(mode, kTools);
    auto add = [&](const std::vector<OutputDelta>& deltas) {
        for (const OutputDelta& delta : deltas) switch (delta.kind) {
            case OutputDelta::Kind::Reasoning:
                sum.reasoning += delta.text;
                break;
            case OutputDelta::Kind::Content:
                sum.content += delta.text;
                break;
            case OutputDelta::Kind::CallName:
                sum.calls.push_back({delta.text, ""});
                break;
            case OutputDelta::Kind::CallArguments:
                sum.calls.at(delta.call).arguments += delta.text;
            }
    };
    for (std::size_t at = 0; at < text.size(); at += step) add(parser->feed(text.substr(at, step)));
    add(parser->finish());
    demand(sum.reasoning == whole.reasoning && sum.content == whole.content);
    demand(sum.calls.size() == whole.calls.size());
    for (std::size_t i = 0; i < whole.calls.size(); ++i) {
        demand(sum.calls[i].name == whole.calls[i].name);
        demand(sum.calls[i].arguments == whole.calls[i].arguments);
        demand(nlohmann::json::parse(whole.calls[i].arguments, nullptr, false).is_object());
    }
    return 0;
}
