// The tokens that text may be made of, by their bytes: a trie, laid out as a walk through it.
#pragma once

#include "assay/engine/tokenizer.h"

#include <cstdint>
#include <vector>

namespace assay::engine {

class TokenTrie {
  public:
    // Special tokens are left out, but for M3's markers.
    explicit TokenTrie(const Tokenizer& tokenizer);

    struct Node {
        std::uint32_t end;   // behind the last node below it
        std::int32_t token;  // -1: none ends here
        std::uint16_t depth; // 1 for a first byte
        std::uint8_t byte;
    };
    const std::vector<Node>& nodes() const { return nodes_; } // each before those below it
    std::size_t deepest() const { return deepest_; }
    std::size_t size() const { return same_.size(); } // ids, of all kinds
    // Another token of the same bytes, or -1.
    TokenId same(TokenId id) const { return same_[static_cast<std::size_t>(id)]; }
    std::string_view text(TokenId id) const; // empty if it is left out

  private:
    std::vector<Node> nodes_;
    std::vector<TokenId> same_;
    std::vector<std::uint64_t> starts_; // of the tokens in bytes_
    std::string bytes_;
    std::size_t deepest_ = 0;
};

} // namespace assay::engine
