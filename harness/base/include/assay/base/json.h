// JSON from outside: servers, models, sandboxes, data sets, the files of a run. Nesting is bounded
// before anything is parsed, since copying and printing a JSON value recurse.
#pragma once

#include "assay/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace assay {

inline constexpr int kDeepestJson = 200; // arrays and objects inside one another

bool nested_too_deep(std::string_view json, int deepest = kDeepestJson);

// Json is a type of nlohmann's, which this header does not include. Discarded if the text is no
// JSON or is nested too deep.
template<class Json>
Json parse_json(std::string_view text) {
    if (nested_too_deep(text)) return Json(Json::value_t::discarded);
    return Json::parse(text, nullptr, false);
}

// Json's own get<Int>() cuts what does not fit, and for a float out of range its behaviour is
// undefined. This throws "WHAT must be a whole number in range".
template<class Int, class Json>
Int whole_number(const Json& value, std::string_view what) {
    if (value.is_number_unsigned()) {
        auto number = value.template get<std::uint64_t>();
        if (std::in_range<Int>(number)) return static_cast<Int>(number);
    } else if (value.is_number_integer()) {
        auto number = value.template get<std::int64_t>();
        if (std::in_range<Int>(number)) return static_cast<Int>(number);
    }
    throw Error(ErrorKind::Input, std::string(what) + " must be a whole number in range");
}

} // namespace assay
