#include "constrain/token_trie.h"

#include "chat/markers.h"

#include <algorithm>
#include <limits>

namespace assay::engine {

namespace {

// Longer tokens are never allowed; real vocabularies have none.
constexpr std::size_t kLongestToken = 4096;

bool usable(const Tokenizer& tokenizer, TokenId id) {
    std::string_view text = tokenizer.token(id);
    if (text.empty() || text.size() > kLongestToken) return false;
    return !tokenizer.special(id) || text == markers::kNamespace || text == markers::kThink ||
           text == markers::kThinkEnd;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
    auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<std::size_t>(differ.first - a.begin());
}

} // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer)
    : same_(static_cast<std::size_t>(tokenizer.size()), -1)
    , starts_{0} {
    std::vector<TokenId> ids;
    for (TokenId id = 0; id < tokenizer.size(); ++id) {
        if (usable(tokenizer, id)) {
            ids.push_back(id);
            bytes_ += tokenizer.token(id);
        }
        starts_.push_back(bytes_.size());
    }
    std::stable_sort(ids.begin(), ids.end(),
                     [&](TokenId a, TokenId b) { return text(a) < text(b); });
    std::vector<std::size_t> open; // the nodes that lead to the last one
    auto close = [&](std::size_t depth) {
        for (; open.size() > depth; open.pop_back())
            nodes_[open.back()].end = static_cast<std::uint32_t>(nodes_.size());
    };
    std::string_view before;
    for (TokenId id : ids) {
        std::string_view bytes = text(id);
        deepest_ = std::max(deepest_, bytes.size());
        std::size_t shared = common_prefix(before, bytes);
        close(shared);
        for (std::size_t i = shared; i < bytes.size(); ++i) {
            open.push_back(nodes_.size());
            nodes_.push_back(
                {0, -1, static_cast<std::uint16_t>(i + 1), static_cast<std::uint8_t>(bytes[i])});
        }
        TokenId& token = nodes_[open.back()].token;
        same_[static_cast<std::size_t>(id)] = token;
        token = id;
        before = bytes;
    }
    close(0);
}

std::string_view TokenTrie::text(TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= same_.size()) return {};
    auto at = static_cast<std::size_t>(id);
    return std::string_view(bytes_).substr(starts_[at], starts_[at + 1] - starts_[at]);
}

} // namespace assay::engine
