// x-mcp-header: arguments that modern HTTP mirrors into Mcp-Param-* headers (revision 2026-07-28).
#include "assay/base/hash.h"
#include "assay/base/text.h"
#include "tools.h"

#include <fmt/format.h>

#include <set>

namespace assay::mcp {

namespace {

constexpr const char* kMark = "x-mcp-header";

bool is_token(std::string_view text) { // RFC 9110, 5.6.2
    constexpr std::string_view kExtra = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
        return (c < 128 && std::isalnum(c)) || kExtra.find(static_cast<char>(c)) != kExtra.npos;
    });
}

class Walker {
  public:
    bool properties(const Json& schema) {
        auto below = schema.find("properties");
        if (below == schema.end() || !below->is_object()) return true;
        for (const auto& [name, property] : below->items()) {
            path_.push_back(name);
            bool fine = one(property);
            path_.pop_back();
            if (!fine) return false;
        }
        return true;
    }

    // A mark anywhere else (in combinators, items, $defs) cannot be reached by properties alone.
    bool elsewhere(const Json& schema) {
        if (!schema.is_structured()) return true;
        for (const auto& [key, value] : schema.items()) {
            if (schema.is_object() && key == "properties" && value.is_object()) {
                for (const auto& [name, property] : value.items())
                    if (!elsewhere(property)) return false;
            } else if (has_mark(value)) {
                problem = fmt::format("{} below '{}', where it cannot be reached", kMark, key);
                return false;
            }
        }
        return true;
    }

    HeaderArguments found;
    std::string problem;

  private:
    static bool has_mark(const Json& json) {
        if (!json.is_structured()) return false;
        if (json.is_object() && json.contains(kMark)) return true;
        return std::any_of(json.begin(), json.end(), [](const Json& one) { return has_mark(one); });
    }

    bool one(const Json& property) {
        if (!property.is_object()) return true;
        auto mark = property.find(kMark);
        if (mark != property.end()) {
            std::string name = mark->is_string() ? mark->get<std::string>() : "";
            if (!is_token(name))
                return fail(fmt::format("{} of '{}' is no token", kMark, path_.back()));
            if (!names_.insert(to_lower(name)).second)
                return fail(fmt::format("{} '{}' is used twice", kMark, name));
            auto type = property.find("type");
            std::string kind =
                type != property.end() && type->is_string() ? type->get<std::string>() : "";
            if (kind != "integer" && kind != "string" && kind != "boolean")
                return fail(fmt::format("{} on '{}', which is no integer, string or boolean", kMark,
                                        path_.back()));
            found.emplace_back(path_, name);
        }
        return properties(property);
    }

    bool fail(std::string text) {
        problem = std::move(text);
        return false;
    }

    std::vector<std::string> path_;
    std::set<std::string> names_;
};

} // namespace

std::optional<HeaderArguments> header_arguments(const Json& schema, std::string& problem) {
    if (!schema.is_object()) return HeaderArguments{};
    Walker walker;
    bool fine = walker.properties(schema) && walker.elsewhere(schema);
    problem = walker.problem;
    if (!fine) return std::nullopt;
    return std::move(walker.found);
}

std::optional<std::string> header_value(const Json& value) {
    if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
    if (value.is_number_integer()) {
        constexpr std::int64_t kSafe = (1ll << 53) - 1;
        if (value.is_number_unsigned() ? value.get<std::uint64_t>() > kSafe
                                       : value > kSafe || value < -kSafe)
            return std::nullopt;
        return value.dump();
    }
    if (!value.is_string()) return std::nullopt;
    const std::string& text = value.get_ref<const std::string&>();
    bool plain =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    bool blanks = !text.empty() && (text.front() == ' ' || text.back() == ' ');
    bool sentinel = text.starts_with("=?base64?") && text.ends_with("?=");
    if (plain && !blanks && !sentinel) return text;
    return "=?base64?" + base64_encode(text) + "?=";
}

} // namespace assay::mcp
