// What Python's str does with code points, for text in UTF-8. Lengths and indices of templates
// count code points. All text here is valid UTF-8: source and variables are checked where they come
// in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine::jinja {

// The code point at `at`, which is moved behind it.
char32_t next_code_point(std::string_view text, std::size_t& at);
void append_utf8(std::string& out, char32_t code_point);

std::size_t count_code_points(std::string_view text);
std::vector<std::string_view> characters(std::string_view text);
// Byte offset of the code point with that index; the length of the text if there are fewer.
std::size_t byte_offset(std::string_view text, std::size_t index);

bool is_space(char32_t c);     // str.isspace
bool is_printable(char32_t c); // str.isprintable: repr shows it as it is
bool is_letter(char32_t c);    // str.isalpha
bool is_digit(char32_t c);     // str.isdecimal: category Nd
bool is_upper(char32_t c);
bool is_lower(char32_t c);
// Simple case mappings: one code point to one (of the full ones only "ß" to "SS").
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string capitalize(std::string_view text);

// Unless `set` is given, white space is stripped.
std::string_view strip_left(std::string_view text, const std::string* set = nullptr);
std::string_view strip_right(std::string_view text, const std::string* set = nullptr);

} // namespace assay::engine::jinja
