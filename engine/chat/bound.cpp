#include "chat/object.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine::jinja {

Bound::Bound(std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> parameters)
    : function_(function)
    , parameters_(parameters)
    , values_(parameters.size()) {
    if (arguments.positional.size() > parameters_.size())
        throw Failure(fmt::format("{}() takes at most {} arguments ({} given)", function_,
                                  parameters_.size(), arguments.positional.size()));
    std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
    for (const auto& [name, value] : arguments.named) {
        auto found = std::find(parameters_.begin(), parameters_.end(), name);
        auto i = static_cast<std::size_t>(found - parameters_.begin());
        if (found == parameters_.end())
            throw Failure(
                fmt::format("{}() got an unexpected keyword argument '{}'", function_, name));
        if (values_[i])
            throw Failure(
                fmt::format("{}() got multiple values for argument '{}'", function_, name));
        values_[i] = value;
    }
}

Value Bound::need(std::size_t i) const {
    if (!values_[i])
        throw Failure(fmt::format("{}() misses its argument '{}'", function_, parameters_[i]));
    return *values_[i];
}

Value Bound::or_else(std::size_t i, const Value& otherwise) const {
    return values_[i] ? *values_[i] : otherwise;
}

bool Bound::flag(std::size_t i, bool otherwise) const {
    return values_[i] ? truth(*values_[i]) : otherwise;
}

std::int64_t Bound::integer(std::size_t i, std::int64_t otherwise) const {
    if (!values_[i] || values_[i]->is_none()) return otherwise;
    if (!values_[i]->is_integral())
        throw Failure(fmt::format("{}(): '{}' must be an integer", function_, parameters_[i]));
    return values_[i]->as_integer();
}

const std::string* Bound::text_or_none(std::size_t i) const {
    if (!values_[i] || values_[i]->is_none()) return nullptr;
    if (!values_[i]->is_string())
        throw Failure(fmt::format("{}(): '{}' must be str, not {}", function_, parameters_[i],
                                  type_name(*values_[i])));
    return values_[i]->text;
}

std::string Bound::text(std::size_t i, const std::string& otherwise) const {
    const std::string* given = text_or_none(i);
    return given ? *given : otherwise;
}

} // namespace assay::engine::jinja
