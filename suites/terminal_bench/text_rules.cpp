#include "text_rules.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cctype>
#include <charconv>
#include <cmath>

namespace assay::terminal_bench {

namespace {

bool is_canary(std::string_view line) {
    line = trim(line);
    bool comment = line.substr(0, 4) == "<!--" || line.substr(0, 1) == "#";
    return comment && to_lower(line).find("canary") != std::string::npos;
}

Error unreadable(std::string_view file, std::string_view why) {
    return Error(ErrorKind::Verifier, fmt::format("VerifierOutputParseError: {}: {}", file, why));
}

bool is_variable_name(std::string_view text) {
    if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0]))) return false;
    for (char c : text)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
    return true;
}

} // namespace

std::string strip_canary(std::string_view instruction) {
    std::string_view rest = instruction;
    auto next = [&] {
        std::size_t end = rest.find('\n');
        return end == std::string_view::npos ? rest.size() : end + 1;
    };
    bool found = false;
    while (!rest.empty() && is_canary(rest.substr(0, next()))) {
        rest.remove_prefix(next());
        found = true;
    }
    while (found && !rest.empty() && trim(rest.substr(0, next())).empty())
        rest.remove_prefix(next());
    return std::string(rest);
}

Variables resolve(const Variables& templates, const HostVariable& host, const std::string& where) {
    Variables out;
    for (const auto& [name, value] : templates) {
        out[name] = value;
        bool wrapped = value.size() > 3 && value.substr(0, 2) == "${" && value.back() == '}';
        if (!wrapped) continue;
        std::string_view inside = std::string_view(value).substr(2, value.size() - 3);
        std::size_t colon = inside.find(":-");
        std::string variable(inside.substr(0, colon));
        if (!is_variable_name(variable)) continue;
        if (auto found = host(variable)) {
            out[name] = *found;
        } else if (colon != std::string_view::npos) {
            out[name] = std::string(inside.substr(colon + 2));
        } else {
            throw Error(ErrorKind::Input, fmt::format("{}: {} wants the variable {}, which is not "
                                                      "set",
                                                      where, name, variable))
                .hint("export " + variable + " before the run");
        }
    }
    return out;
}

Rewards parse_reward_text(std::string_view text) {
    if (text.empty())
        throw Error(ErrorKind::Verifier, "RewardFileEmptyError: reward.txt has 0 bytes");
    std::string_view number = trim(text);
    if (number.substr(0, 1) == "+") number.remove_prefix(1);
    double value = 0;
    auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (code != std::errc() || end != number.data() + number.size() || !std::isfinite(value))
        throw unreadable("reward.txt", "'" + utf8_clean(text.substr(0, 100)) + "' is not a number");
    return {{"reward", value}};
}

Rewards parse_reward_json(std::string_view text) {
    if (text.empty())
        throw Error(ErrorKind::Verifier, "RewardFileEmptyError: reward.json has 0 bytes");
    auto json = parse_json<nlohmann::json>(text);
    if (!json.is_object()) throw unreadable("reward.json", "not a JSON object");
    Rewards out;
    for (const auto& [key, value] : json.items()) {
        if (!value.is_number() || !std::isfinite(value.get<double>()))
            throw unreadable("reward.json", "'" + utf8_clean(key) + "' is not a number");
        out[key] = value.get<double>();
    }
    if (out.empty()) throw unreadable("reward.json", "it has no key");
    return out;
}

std::string primary_key(const Rewards& rewards) {
    if (rewards.contains("reward")) return "reward";
    if (rewards.size() == 1) return rewards.begin()->first;
    std::string names;
    for (const auto& [key, value] : rewards) names += (names.empty() ? "" : ", ") + key;
    throw unreadable("reward.json", "several keys and none is 'reward': " + utf8_clean(names));
}

} // namespace assay::terminal_bench
