#include "settings.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <charconv>
#include <cmath>

namespace assay {

namespace {
[[noreturn]] void refuse(std::string_view key, std::string_view value, const std::string& wanted) {
    throw Error(ErrorKind::Usage, "agent setting " + std::string(key) + ": '" + std::string(value) +
                                      "' is not " + wanted);
}
} // namespace

std::optional<std::string> AgentSettings::find(std::string_view key) const {
    for (const Settings* source : sources_) {
        if (source == nullptr) continue;
        auto found = source->find(std::string(key));
        if (found != source->end()) return found->second;
    }
    return std::nullopt;
}

std::string AgentSettings::text(std::string_view key, std::string_view otherwise) const {
    return find(key).value_or(std::string(otherwise));
}

int AgentSettings::integer(std::string_view key, int otherwise, int least) const {
    auto value = find(key);
    if (!value) return otherwise;
    int out = 0;
    auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), out);
    if (error != std::errc() || end != value->data() + value->size() || out < least)
        refuse(key, *value, "a whole number >= " + std::to_string(least));
    return out;
}

double AgentSettings::number(std::string_view key, double otherwise) const {
    auto value = find(key);
    if (!value) return otherwise;
    double out = 0;
    auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), out);
    if (error != std::errc() || end != value->data() + value->size() || !std::isfinite(out) ||
        out < 0)
        refuse(key, *value, "a number >= 0");
    return out;
}

bool AgentSettings::flag(std::string_view key, bool otherwise) const {
    auto value = find(key);
    if (!value) return otherwise;
    std::string word = to_lower(*value);
    if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
    if (word == "false" || word == "no" || word == "off" || word == "0") return false;
    refuse(key, *value, "true or false");
}

std::string AgentSettings::choice(std::string_view key, std::string_view otherwise,
                                  std::initializer_list<std::string_view> allowed) const {
    std::string value = text(key, otherwise);
    std::string list;
    for (std::string_view word : allowed) {
        if (word == value) return value;
        list += (list.empty() ? "" : ", ") + std::string(word);
    }
    refuse(key, value, "one of " + list);
}

Sampling AgentSettings::sampling() const {
    Sampling out;
    if (find("temperature")) out.temperature = number("temperature", 0);
    if (find("top_p")) out.top_p = number("top_p", 0);
    if (find("top_k")) out.top_k = integer("top_k", 0);
    if (find("max_tokens")) out.max_tokens = integer("max_tokens", 0, 1);
    out.reasoning_effort = find("reasoning_effort");
    return out;
}

} // namespace assay
