#include "plan_settings.h"

#include "assay/base/error.h"
#include "assay/base/json.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace assay {

using Json = nlohmann::json;

Settings parse_settings(const std::vector<std::string>& words, std::string_view option) {
    Settings out;
    for (const std::string& word : words) {
        std::size_t equals = word.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Error(ErrorKind::Usage,
                        std::string(option) + " " + word + ": not of the form KEY=VALUE");
        out[word.substr(0, equals)] = word.substr(equals + 1);
    }
    return out;
}

PlanSettings PlanSettings::from(const RunArguments& arguments) {
    PlanSettings out;
    out.suite = parse_settings(arguments.suite_settings, "--set");
    if (!arguments.verifier.empty()) out.suite["verifier"] = arguments.verifier;
    out.agent = parse_settings(arguments.agent_settings, "--agent-set");
    out.filter = {arguments.task_globs, arguments.exclude_globs};
    out.sandbox = arguments.sandbox;
    out.base = arguments.base;
    if (!arguments.image_map.empty()) {
        out.image_map = RealFileSystem().read(arguments.image_map, 1 << 20);
        out.image_map_file = arguments.image_map;
    }
    out.timeout_multiplier = arguments.timeout_multiplier;
    out.net_clock = arguments.clock == "net";
    out.budget.turns = arguments.max_turns;
    out.budget.tokens = arguments.max_tokens;
    out.budget.cost = arguments.max_attempt_cost;
    if (arguments.max_seconds) out.budget.time = from_seconds(*arguments.max_seconds);
    out.context_tokens = arguments.context_tokens;
    out.logprobs = arguments.logprobs;
    out.keep_layer = arguments.keep_layer;
    if (arguments.max_cost && std::isfinite(*arguments.max_cost)) out.max_cost = arguments.max_cost;
    if (!arguments.prices.empty()) out.prices = RealFileSystem().read(arguments.prices, 1 << 20);
    return out;
}

std::string PlanSettings::json() const {
    Json out = {{"suite", suite},
                {"agent", agent},
                {"task", filter.include},
                {"exclude", filter.exclude},
                {"sandbox", sandbox},
                {"base", base},
                {"image_map", image_map},
                {"image_map_file", image_map_file},
                {"timeout_multiplier", timeout_multiplier}};
    if (net_clock) out["clock"] = "net";
    if (budget.turns) out["max_turns"] = *budget.turns;
    if (budget.tokens) out["max_tokens"] = *budget.tokens;
    if (budget.cost) out["max_attempt_cost"] = *budget.cost;
    if (budget.time) out["max_seconds"] = seconds(*budget.time);
    if (context_tokens) out["context_tokens"] = *context_tokens;
    if (logprobs) out["logprobs"] = *logprobs;
    if (!prices.empty()) out["prices"] = prices;
    if (max_cost) out["max_cost"] = *max_cost;
    if (keep_layer) out["keep_layer"] = *keep_layer;
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

PlanSettings PlanSettings::parse(const std::string& text) {
    try {
        Json in = Json::parse(text);
        PlanSettings out;
        out.suite = in.at("suite").get<Settings>();
        out.agent = in.at("agent").get<Settings>();
        out.filter.include = in.at("task").get<std::vector<std::string>>();
        out.filter.exclude = in.at("exclude").get<std::vector<std::string>>();
        out.sandbox = in.at("sandbox").get<std::string>();
        out.base = in.at("base").get<std::string>();
        out.image_map = in.at("image_map").get<std::string>();
        out.image_map_file = in.at("image_map_file").get<std::string>();
        out.timeout_multiplier = in.at("timeout_multiplier").get<double>();
        out.net_clock = in.value("clock", "official") == "net";
        if (in.contains("max_turns"))
            out.budget.turns = whole_number<int>(in["max_turns"], "the plan's settings: max_turns");
        if (in.contains("max_tokens"))
            out.budget.tokens =
                whole_number<std::uint64_t>(in["max_tokens"], "the plan's settings: max_tokens");
        if (in.contains("max_attempt_cost")) out.budget.cost = in["max_attempt_cost"].get<double>();
        if (in.contains("max_seconds"))
            out.budget.time = from_seconds(in["max_seconds"].get<double>());
        if (in.contains("context_tokens"))
            out.context_tokens = whole_number<std::uint64_t>(in["context_tokens"],
                                                             "the plan's settings: context_tokens");
        if (in.contains("logprobs"))
            out.logprobs = whole_number<int>(in["logprobs"], "the plan's settings: logprobs");
        out.prices = in.value("prices", "");
        if (in.contains("keep_layer"))
            out.keep_layer =
                whole_number<std::uint64_t>(in["keep_layer"], "the plan's settings: keep_layer");
        if (in.contains("max_cost")) out.max_cost = in["max_cost"].get<double>();
        return out;
    } catch (const Json::exception& e) {
        throw Error(ErrorKind::Input, std::string("the plan's settings: ") + e.what());
    }
}

} // namespace assay
