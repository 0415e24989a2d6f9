#include "assay/base/error.h"
#include "assay/base/json.h"
#include "chat/markers.h"
#include "constrain/call_rules.h"
#include "constrain/matcher.h"
#include "constrain/schema_merge.h"
#include "constrain/text_rules.h"
#include "constrain/turn.h"

#include <fmt/format.h>

#include <set>

namespace assay::engine {

namespace {

using Choice = ToolCallOptions::Choice;

constexpr std::size_t kLargestTools = 4u << 20;
constexpr std::size_t kMostTools = 512;
constexpr std::size_t kLongestName = 256; // that the output parser reads

struct Tool {
    std::string name;
    Json parameters;
};

Tool read_tool(const Json& entry, std::size_t number) {
    std::string where = fmt::format("tools/{}", number);
    const Json function = entry.is_object() ? entry.value("function", entry) : entry;
    if (!function.is_object() || !function.contains("name") || !function["name"].is_string())
        throw Error(ErrorKind::Input, where + ": a tool needs a name");
    Tool tool{function["name"].get<std::string>(), function.value("parameters", Json())};
    bool plain = !tool.name.empty() && tool.name.size() <= kLongestName &&
                 tool.name.find_first_of("\"\r\n") == tool.name.npos && !has_marker(tool.name);
    if (!plain)
        throw Error(ErrorKind::Input, where + ": its name cannot be said in the format of tool "
                                              "calls");
    if (tool.parameters.is_null() || tool.parameters == Json::object())
        tool.parameters = {{"type", "object"}, {"properties", Json::object()}};
    return tool;
}

std::vector<Tool> read_tools(std::string_view text) {
    if (text.size() > kLargestTools) throw Error(ErrorKind::Input, "tools: larger than 4 MiB");
    Json tools = parse_json<Json>(text);
    if (!tools.is_array()) throw Error(ErrorKind::Input, "tools: not a JSON array");
    if (tools.size() > kMostTools) throw Error(ErrorKind::Input, "tools: more than 512");
    std::vector<Tool> out;
    std::set<std::string> names;
    for (const Json& entry : tools) {
        out.push_back(read_tool(entry, out.size()));
        if (!names.insert(out.back().name).second)
            throw Error(ErrorKind::Input, "tools: two are called " + out.back().name);
    }
    return out;
}

std::string tag(std::string_view name) {
    return std::string(markers::kNamespace) + std::string(name);
}

class TurnMaker {
  public:
    TurnMaker(std::string_view tools, const ToolCallOptions& options)
        : tools_(read_tools(tools))
        , views_(tools)
        , options_(options) {}

    Grammar make() {
        RuleId call = calls();
        RuleId turn = grammar_.rule();
        PlaceId end = grammar_.end();
        PlaceId answer = block(call, end);
        if (options_.choice == Choice::Auto) answer = grammar_.split({end, answer});
        answer = text(grammar_, {.region = Region::Content}, answer);
        grammar_.set_start(turn, behind_reasoning(grammar_, options_.thinking, answer));
        grammar_.finish(turn);
        for (auto [tool, start] : starts_)
            if (grammar_.distance(start, 0) >= Grammar::kNever)
                throw Error(ErrorKind::Input,
                            "tool " + tool->name + ": no arguments fit its schema");
        return std::move(grammar_);
    }

  private:
    // One call of any of the tools that may be called.
    RuleId calls() {
        RuleId rule = grammar_.rule();
        PlaceId end = grammar_.end();
        std::vector<PlaceId> targets;
        for (const Tool& tool : tools_)
            if (options_.choice != Choice::Named || tool.name == options_.name)
                targets.push_back(call(tool, end));
        if (targets.empty())
            throw Error(ErrorKind::Input, options_.choice == Choice::Named
                                              ? "there is no tool " + options_.name
                                              : "there is no tool to call");
        grammar_.set_start(rule, grammar_.split(std::move(targets)));
        return rule;
    }

    PlaceId call(const Tool& tool, PlaceId next) {
        try {
            Shapes shapes(tool.parameters, "parameters");
            CallRules rules(grammar_, shapes, views_);
            PlaceId close = grammar_.literal(tag("</invoke>"), next);
            PlaceId start = rules.parameters(views_.arguments_of(tool.name), close);
            rules.finish();
            starts_.emplace_back(&tool, start);
            return grammar_.literal(tag("<invoke name=\"" + tool.name + "\">"), start);
        } catch (Error& e) {
            e.frame("tool " + tool.name);
            throw;
        }
    }

    PlaceId line(PlaceId next) { return grammar_.split({grammar_.range('\n', '\n', next), next}); }

    PlaceId block(RuleId call, PlaceId next) {
        PlaceId close = grammar_.literal(tag("</tool_call>"), next);
        std::size_t most = options_.choice == Choice::Named ? 1 : options_.most_calls;
        LoopId loop = grammar_.loop(
            1, static_cast<std::uint32_t>(std::clamp<std::size_t>(most, 1, 1024)), close);
        PlaceId count = grammar_.count(loop);
        grammar_.in_loop(loop);
        grammar_.set_body(count, grammar_.call(call, line(count), false));
        grammar_.in_loop(-1);
        return grammar_.literal(tag("<tool_call>"), line(count));
    }

    std::vector<Tool> tools_;
    ToolSchemas views_;
    const ToolCallOptions& options_;
    Grammar grammar_;
    std::vector<std::pair<const Tool*, PlaceId>> starts_;
};

} // namespace

std::unique_ptr<Constraint> constrain_tool_calls(const Vocabulary& vocabulary,
                                                 std::string_view tools,
                                                 const ToolCallOptions& options) {
    std::string key = fmt::format("calls {} {} {} {} {} {}", static_cast<int>(options.thinking),
                                  static_cast<int>(options.choice), options.most_calls,
                                  options.name.size(), options.name, tools);
    return dynamic_cast<const TrieVocabulary&>(vocabulary)
        .constraint(key, [&] { return TurnMaker(tools, options).make(); }, options);
}

} // namespace assay::engine
