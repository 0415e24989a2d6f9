#include "arguments.h"

#include <charconv>
#include <cmath>

namespace assay {

const nlohmann::json* Arguments::find(const char* key) const {
    auto at = json_.find(key);
    return at == json_.end() || at->is_null() ? nullptr : &*at;
}

std::optional<std::string> Arguments::optional_text(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string())
        throw BadArgument("\"" + std::string(key) + "\" must be a string, not " +
                          value->type_name());
    return value->get<std::string>();
}

std::string Arguments::text(const char* key) const {
    auto value = optional_text(key);
    if (!value) throw BadArgument("\"" + std::string(key) + "\" is missing");
    return *value;
}

std::optional<double> Arguments::optional_number(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->get<double>();
    if (value->is_string()) {
        const auto& text = value->get_ref<const std::string&>();
        double out = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
        if (error == std::errc() && end == text.data() + text.size() && std::isfinite(out))
            return out;
    }
    throw BadArgument("\"" + std::string(key) + "\" must be a number");
}

std::optional<long> Arguments::optional_integer(const char* key) const {
    auto value = optional_number(key);
    if (!value) return std::nullopt;
    if (std::abs(*value) > 1e12 || *value != std::floor(*value))
        throw BadArgument("\"" + std::string(key) + "\" must be a whole number");
    return static_cast<long>(*value);
}

} // namespace assay
