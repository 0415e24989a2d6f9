#include "assay/models/prices.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {
double price(const Json& entry, const char* key, std::optional<double> otherwise,
             const std::string& where) {
    auto at = entry.find(key);
    if (at == entry.end()) {
        if (otherwise) return *otherwise;
        throw Error(ErrorKind::Input, where + ": \"" + key + "\" is missing");
    }
    if (!at->is_number() || at->get<double>() < 0)
        throw Error(ErrorKind::Input, where + ": \"" + key + "\" must be a number >= 0");
    return at->get<double>();
}
} // namespace

PriceTable PriceTable::parse(std::string_view json, const std::string& file_name) {
    Json root;
    try {
        root = Json::parse(json);
    } catch (const Json::exception& e) {
        throw Error(ErrorKind::Input, "prices " + file_name + ": " + e.what());
    }
    if (!root.is_object())
        throw Error(ErrorKind::Input, "prices " + file_name + ": must be a JSON object");
    PriceTable table;
    for (const auto& [glob, entry] : root.items()) {
        std::string where = "prices " + file_name + ", \"" + glob + "\"";
        if (!entry.is_object()) throw Error(ErrorKind::Input, where + ": must be an object");
        for (const auto& [key, value] : entry.items())
            if (key != "input" && key != "cached_input" && key != "output")
                throw Error(ErrorKind::Input, where + ": unknown key \"" + key + "\"");
        Entry made{glob, price(entry, "input", std::nullopt, where), 0,
                   price(entry, "output", std::nullopt, where)};
        made.cached_input = price(entry, "cached_input", made.input, where);
        table.entries_.push_back(made);
    }
    return table;
}

std::optional<double> PriceTable::cost(std::string_view model, const Usage& usage) const {
    for (const Entry& entry : entries_) {
        if (!glob_match(entry.glob, model)) continue;
        auto cached = static_cast<double>(std::min(usage.cached_tokens, usage.prompt_tokens));
        double fresh = static_cast<double>(usage.prompt_tokens) - cached;
        return (fresh * entry.input + cached * entry.cached_input +
                static_cast<double>(usage.completion_tokens) * entry.output) /
               1e6;
    }
    return std::nullopt;
}

} // namespace assay
