#include "config_reader.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <cmath>

namespace assay::engine {

using Json = nlohmann::json;

namespace {

constexpr std::size_t kLongestShown = 80;

std::string shown(const Json& value) {
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (text.size() <= kLongestShown) return text;
    return text.substr(0, kLongestShown) + "…";
}

} // namespace

void ConfigReader::refuse(const std::string& what, const std::string& hint) const {
    throw Error(ErrorKind::Input, file_ + ": " + what).hint(hint);
}

Section ConfigReader::section(const Section& in, const char* key) const {
    Found found = find({{in, key}});
    if (found && !found.value->is_object())
        refuse(found.name + " is no object", "take the file of the release");
    return {found.value, found.name + "."};
}

Found ConfigReader::find(std::initializer_list<Key> keys) const {
    Found found;
    for (const Key& key : keys) {
        std::string name = key.section.path + key.name;
        if (found.name.empty()) found.name = name;
        if (key.section.object == nullptr) continue;
        auto at = key.section.object->find(key.name);
        if (at == key.section.object->end() || at->is_null()) continue;
        if (!found)
            found = {&*at, name};
        else if (*found.value != *at)
            refuse(fmt::format("{} is {}, but {} is {}", found.name, shown(*found.value), name,
                               shown(*at)),
                   "both mean the same: take out the wrong one");
    }
    return found;
}

std::int64_t ConfigReader::whole(const Found& found, std::int64_t least, std::int64_t most,
                                 std::optional<std::int64_t> otherwise) const {
    if (!found && otherwise) return *otherwise;
    if (!found) refuse(found.name + " is missing", "take the file of the release");
    std::string range = fmt::format("must be a whole number from {} to {}", least, most);
    std::optional<std::int64_t> value;
    if (found.value->is_number_unsigned()) {
        auto number = found.value->get<std::uint64_t>();
        if (std::in_range<std::int64_t>(number)) value = static_cast<std::int64_t>(number);
    } else if (found.value->is_number_integer()) {
        value = found.value->get<std::int64_t>();
    }
    if (!value || *value < least || *value > most)
        refuse(fmt::format("{} is {}", found.name, shown(*found.value)), "it " + range);
    return *value;
}

int ConfigReader::small(const Found& found, int least, int most,
                        std::optional<int> otherwise) const {
    std::optional<std::int64_t> wide;
    if (otherwise) wide = *otherwise;
    return static_cast<int>(whole(found, least, most, wide));
}

double ConfigReader::number(const Found& found, double least, double most,
                            std::optional<double> otherwise) const {
    if (!found && otherwise) return *otherwise;
    if (!found) refuse(found.name + " is missing", "take the file of the release");
    double value = found.value->is_number() ? found.value->get<double>() : std::nan("");
    if (!(value >= least && value <= most))
        refuse(fmt::format("{} is {}", found.name, shown(*found.value)),
               fmt::format("it must be a number from {:g} to {:g}", least, most));
    return value;
}

bool ConfigReader::flag(const Found& found, bool otherwise) const {
    if (!found) return otherwise;
    if (!found.value->is_boolean())
        refuse(fmt::format("{} is {}", found.name, shown(*found.value)),
               "it must be true or false");
    return found.value->get<bool>();
}

void ConfigReader::must_be(const Found& found, const Json& expected) const {
    if (found && *found.value != expected)
        refuse(fmt::format("{} is {}", found.name, shown(*found.value)),
               fmt::format("the engine computes {} alone; another would give wrong results",
                           shown(expected)));
}

} // namespace assay::engine
