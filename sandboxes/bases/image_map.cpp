#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/sandboxes/base_image.h"

#include <fmt/core.h>

namespace assay {

namespace {
std::string_view next_word(std::string_view& line) {
    line = trim(line);
    std::size_t end = line.find_first_of(" \t");
    std::string_view word = line.substr(0, end);
    line = end == std::string_view::npos ? std::string_view() : trim(line.substr(end));
    return word;
}
} // namespace

ImageMap ImageMap::parse(std::string_view text, const std::string& file) {
    ImageMap map;
    int number = 0;
    for (std::string_view line : split_lines(text)) {
        ++number;
        line = trim(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        std::string_view glob = next_word(line);
        std::string_view base = next_word(line);
        if (base.empty() || !line.empty())
            throw Error(
                ErrorKind::Input,
                fmt::format("{}:{}: expected two words, an image glob and a base", file, number))
                .hint("for example: python:3.13-slim* debian:trixie+python3");
        map.add(std::string(glob), std::string(base));
    }
    return map;
}

void ImageMap::add(std::string glob, std::string base) {
    rules_.emplace_back(std::move(glob), std::move(base));
}

std::string ImageMap::find(std::string_view reference) const {
    for (const auto& [glob, base] : rules_)
        if (glob_match(glob, reference)) return base;
    return {};
}

} // namespace assay
