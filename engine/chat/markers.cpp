#include "chat/markers.h"

namespace assay::engine::markers {

namespace {

using Kind = Match::Kind;

constexpr int kMostZeroWidth = 8;
constexpr std::size_t kMostSpace = 256; // between the namespace marker and its tag

// Bytes of a zero-width character at `at`; 0: none; -1: the text ends inside of what may be one.
int zero_width(std::string_view text, std::size_t at) {
    constexpr std::string_view kCharacters[] = {"\u200b", "\u200c", "\u200d", "\ufeff"};
    std::string_view rest = text.substr(at, 3);
    for (std::string_view character : kCharacters)
        if (character.starts_with(rest)) return rest.size() == 3 ? 3 : -1;
    return 0;
}

bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

} // namespace

std::size_t skip_space(std::string_view text, std::size_t at) {
    while (at < text.size() && is_space(text[at])) ++at;
    return at;
}

Match match(std::string_view text, std::size_t at, std::string_view marker) {
    for (std::size_t i = 0; i < marker.size(); ++i) {
        for (int skipped = 0; i > 0 && at < text.size(); ++skipped) {
            int bytes = zero_width(text, at);
            if (bytes == 0) break;
            if (skipped == kMostZeroWidth) return {};
            if (bytes < 0) return {Kind::Partial};
            at += static_cast<std::size_t>(bytes);
        }
        if (at >= text.size()) return {Kind::Partial};
        if (text[at++] != marker[i]) return {};
    }
    return {Kind::Yes, at};
}

Match match_tag(std::string_view text, std::size_t at, std::string_view tag) {
    Match found = match(text, at, kNamespace);
    if (!found.yes()) return found;
    std::size_t next = skip_space(text, found.end);
    if (next - found.end > kMostSpace) return {};
    return match(text, next, tag);
}

Match match_invoke(std::string_view text, std::size_t at) {
    Match whole = match_tag(text, at, "<invoke");
    if (whole.no()) whole = match_tag(text, at, "invoke");
    if (!whole.yes()) return whole;
    if (whole.end >= text.size()) return {Kind::Partial};
    if (!is_space(text[whole.end]) && text[whole.end] != '>') return {}; // <invoked>, <invoke2>
    return whole;
}

} // namespace assay::engine::markers
