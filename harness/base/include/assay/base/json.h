// JSON from outside: servers, models, sandboxes, data sets, the files of a run. Nesting is bounded
// before anything is parsed, since copying and printing a JSON value recurse.
#pragma once

#include <string_view>

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

} // namespace assay
