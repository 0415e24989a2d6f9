// What the methods of str and the filters of text share.
#pragma once

#include "chat/interpreter.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine::jinja {

// At most `most` replacements, all if negative.
Value replace_text(Interpreter& in, const std::string& text, const std::string& from,
                   const std::string& to, std::int64_t most);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);
Value pad_text(Interpreter& in, std::string_view text, std::int64_t width, std::string_view fill,
               bool left, bool right); // on both sides: centred as Python does

} // namespace assay::engine::jinja
