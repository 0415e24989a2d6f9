#include "bases/docker/patterns.h"

#include "assay/base/text.h"

#include <cstddef>

namespace assay::bases {

namespace {

// Within one component; iterative, so that "*a*a*a" costs no exponential time.
bool component_match(std::string_view pattern, std::string_view text);

bool class_match(std::string_view pattern, std::size_t& at, char c, bool& valid) {
    std::size_t i = at + 1;
    bool negated = i < pattern.size() && (pattern[i] == '^' || pattern[i] == '!');
    if (negated) ++i;
    bool found = false;
    for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
        char low = pattern[i];
        char high = low;
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            high = pattern[i + 2];
            i += 2;
        }
        found |= low <= c && c <= high;
        ++i;
    }
    valid = i < pattern.size();
    at = i + 1;
    return found != negated;
}

bool one_match(std::string_view pattern, std::size_t& at, char c) {
    if (pattern[at] == '?') {
        ++at;
        return true;
    }
    if (pattern[at] == '[') {
        bool valid = false;
        std::size_t next = at;
        bool matched = class_match(pattern, next, c, valid);
        if (valid) {
            at = next;
            return matched;
        }
    }
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    return pattern[at++] == c;
}

bool component_match(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = ++p;
            mark = t;
            continue;
        }
        std::size_t next = p;
        if (p < pattern.size() && one_match(pattern, next, text[t])) {
            p = next;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::vector<std::string_view> components(std::string_view path) {
    std::vector<std::string_view> out;
    for (std::string_view part : split(path, '/'))
        if (!part.empty() && part != ".") out.push_back(part);
    return out;
}

// As component_match, over components: '**' is the star.
bool components_match(const std::vector<std::string_view>& pattern,
                      const std::vector<std::string_view>& path, std::size_t length) {
    std::size_t p = 0, t = 0, mark = 0;
    std::ptrdiff_t star = -1;
    while (t < length) {
        if (p < pattern.size() && pattern[p] == "**") {
            star = static_cast<std::ptrdiff_t>(++p);
            mark = t;
        } else if (p < pattern.size() && component_match(pattern[p], path[t])) {
            ++p;
            ++t;
        } else if (star >= 0) {
            p = static_cast<std::size_t>(star);
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == "**") ++p;
    return p == pattern.size();
}

} // namespace

bool path_match(std::string_view pattern, std::string_view path) {
    auto parts = components(path);
    return components_match(components(pattern), parts, parts.size());
}

bool has_wildcard(std::string_view pattern) {
    return pattern.find_first_of("*?[") != std::string_view::npos;
}

IgnoreRules IgnoreRules::parse(std::string_view text) {
    IgnoreRules rules;
    for (std::string_view line : split_lines(text)) {
        if (!line.empty() && line[0] == '#') continue;
        line = trim(line);
        bool keep = !line.empty() && line[0] == '!';
        if (keep) line = trim(line.substr(1));
        if (line.empty()) continue;
        rules.rules_.push_back({std::string(line), keep});
        rules.exceptions_ |= keep;
    }
    return rules;
}

bool IgnoreRules::ignores(std::string_view path) const {
    auto parts = components(path);
    bool ignored = false;
    for (const Rule& rule : rules_) {
        if (rule.keep != ignored) continue; // it would change nothing
        auto pattern = components(rule.pattern);
        for (std::size_t length = 1; length <= parts.size(); ++length)
            if (components_match(pattern, parts, length)) {
                ignored = !rule.keep;
                break;
            }
    }
    return ignored;
}

} // namespace assay::bases
