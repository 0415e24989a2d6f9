// The markers of MiniMax-M3's output, found in text that may end anywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::engine::markers {

inline constexpr std::string_view kNamespace = "]<]minimax[>[";
inline constexpr std::string_view kThink = "<mm:think>", kThinkEnd = "</mm:think>";

struct Match {
    enum class Kind { No, Partial, Yes };
    Kind kind = Kind::No;
    std::size_t end = 0; // behind the marker

    bool yes() const { return kind == Kind::Yes; }
    bool no() const { return kind == Kind::No; }
    bool partial() const { return kind == Kind::Partial; }
};

// Does `marker` stand at `at`? Partial: it might, the text ends too soon.
Match match(std::string_view text, std::size_t at, std::string_view marker);
// The same for the namespace marker, white space, and `tag`.
Match match_tag(std::string_view text, std::size_t at, std::string_view tag);
// The head of an invoke up to its name: namespace, "<invoke", where the "<" may be missing.
Match match_invoke(std::string_view text, std::size_t at);

std::size_t skip_space(std::string_view text, std::size_t at);

} // namespace assay::engine::markers
