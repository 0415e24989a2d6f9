// JSON from outside may be nested so deeply that printing it overflows the stack.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay {

inline bool nested_too_deep(std::string_view text, std::size_t deepest = 200) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest) return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return false;
}

} // namespace assay
