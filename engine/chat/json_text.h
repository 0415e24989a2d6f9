// JSON into values and back, as Python's json does it: order kept, whole numbers of any size.
#pragma once

#include "chat/value.h"

#include <string_view>

namespace assay::engine::jinja {

// Throws Failure: no JSON, nested too deep.
Value from_json(Heap& heap, std::string_view text);

struct JsonStyle {
    bool ascii = false;
    Steps* steps = nullptr;    // given if the keys are to be sorted
    bool broken_lines = false; // an indent was given
    std::string indent, item_separator = ", ", key_separator = ": ";
};
void add_json(Text& out, const Value& value, const JsonStyle& style, int depth = 0);

} // namespace assay::engine::jinja
