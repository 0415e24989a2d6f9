#include "fields.h"

#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <cmath>

namespace assay::serve {

namespace {

constexpr std::size_t kShownName = 100; // bytes of a client's name for something, in an error

std::string shown(std::string_view name) {
    std::string clean = utf8_clean(name);
    if (clean.size() > kShownName) clean = clean.substr(0, utf8_floor(clean, kShownName)) + "...";
    return clean;
}

} // namespace

void bad_request(const std::string& parameter, const std::string& problem) {
    throw ApiError(ApiFault::BadRequest, parameter.empty() ? problem : parameter + ": " + problem,
                   parameter);
}

Fields::Fields(const Json& object, std::string where)
    : object_(object)
    , where_(std::move(where)) {
    if (!object.is_object())
        bad_request(where_,
                    where_.empty() ? "the body must be a JSON object" : "must be an object");
}

std::string Fields::path(std::string_view name) const {
    return where_.empty() ? shown(name) : where_ + "." + shown(name);
}

const Json* Fields::find(std::string_view name) {
    known_.emplace(name);
    auto found = object_.find(std::string(name));
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& Fields::need(std::string_view name) {
    const Json* found = find(name);
    if (found == nullptr) bad_request(path(name), "is required");
    return *found;
}

std::optional<std::string> Fields::text(std::string_view name) {
    const Json* found = find(name);
    if (found == nullptr) return std::nullopt;
    if (!found->is_string()) bad_request(path(name), "must be a string");
    return found->get<std::string>();
}

std::string Fields::need_text(std::string_view name) {
    need(name);
    return *text(name);
}

std::optional<double> Fields::number(std::string_view name, double least, double most) {
    const Json* found = find(name);
    if (found == nullptr) return std::nullopt;
    double value = found->is_number() ? found->get<double>() : NAN;
    if (!(value >= least && value <= most))
        bad_request(path(name), fmt::format("must be a number from {:g} to {:g}", least, most));
    return value;
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t least,
                                            std::int64_t most) {
    const Json* found = find(name);
    if (found == nullptr) return std::nullopt;
    std::optional<std::int64_t> value;
    if (found->is_number_integer()) {
        try {
            value = whole_number<std::int64_t>(*found, name);
        } catch (const Error&) { // does not fit: as any other that is out of range
        }
    }
    if (!value || *value < least || *value > most)
        bad_request(path(name), fmt::format("must be a whole number from {} to {}", least, most));
    return value;
}

std::optional<bool> Fields::flag(std::string_view name) {
    const Json* found = find(name);
    if (found == nullptr) return std::nullopt;
    if (!found->is_boolean()) bad_request(path(name), "must be true or false");
    return found->get<bool>();
}

const Json* Fields::list(std::string_view name) {
    const Json* found = find(name);
    if (found != nullptr && !found->is_array()) bad_request(path(name), "must be a list");
    return found;
}

const Json* Fields::object(std::string_view name) {
    const Json* found = find(name);
    if (found != nullptr && !found->is_object()) bad_request(path(name), "must be an object");
    return found;
}

void Fields::ignore(std::initializer_list<std::string_view> names) {
    for (std::string_view name : names) known_.emplace(name);
}

void Fields::refuse_unless(std::string_view name, const Json& only, const std::string& why) {
    const Json* found = find(name);
    if (found != nullptr && *found != only) bad_request(path(name), why);
}

void Fields::refuse_rest() const {
    for (const auto& [name, value] : object_.items())
        if (!value.is_null() && !known_.contains(name))
            bad_request(path(name), "this server does not know the parameter");
}

std::string item_path(const std::string& list, std::size_t index) {
    return fmt::format("{}[{}]", list, index);
}

Json parse_body(std::string_view body) {
    if (!utf8_valid(body)) bad_request("", "the body is not valid UTF-8");
    Json json = parse_json<Json>(body);
    if (json.is_discarded())
        bad_request("", fmt::format("the body is no JSON, or is nested deeper than {} levels",
                                    kDeepestJson));
    return json;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace assay::serve
