// Small text helpers. Input may be any bytes; output that goes to JSON must pass utf8_clean first.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Invalid sequences become U+FFFD; NUL stays.
std::string utf8_clean(std::string_view bytes);
bool utf8_valid(std::string_view bytes);
// The largest boundary <= at, and the smallest boundary >= at, of a text that may be cut anywhere.
std::size_t utf8_floor(std::string_view text, std::size_t at);
std::size_t utf8_ceil(std::string_view text, std::size_t at);

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::vector<std::string_view> split_lines(std::string_view text); // without \n and \r\n
bool starts_with_nocase(std::string_view text, std::string_view prefix);
bool equals_nocase(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text); // ASCII
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// fnmatch-like: * ? [a-z] [!a-z]; matches the whole text; '/' is an ordinary character.
bool glob_match(std::string_view pattern, std::string_view text);

// A JSON string literal with quotes; input is cleaned.
std::string json_quote(std::string_view text);
// One shell word, quoted only where needed.
std::string shell_quote(std::string_view word);

std::string format_bytes(double bytes);     // "1.5 MiB"
std::string format_seconds(double seconds); // "1.2 ms", "3.4 s", "2 min 5 s"

} // namespace assay
