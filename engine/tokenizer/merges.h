// Byte-level BPE of one word: of all neighbours that may be merged, the pair of lowest rank, the
// leftmost of those, until there is none.
#pragma once

#include "tokenizer/tokenizer_file.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace assay::engine {

class Merges {
  public:
    explicit Merges(const TokenizerFile& file);

    // Appends the tokens of a word that is not empty. Thread-safe.
    void encode(std::string_view word, std::vector<TokenId>& out) const;

  private:
    static constexpr std::uint32_t kNone = ~0u;
    struct Slot {
        std::uint64_t pair = ~0ull; // left and right
        std::uint32_t rank = kNone;
        TokenId result = -1;
    };

    std::size_t home(std::uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> shift_; }
    const Slot& find(TokenId left, TokenId right) const;
    void encode_short(std::string_view word, std::vector<TokenId>& out) const;
    void encode_long(std::string_view word, std::vector<TokenId>& out) const;

    std::array<TokenId, 256> bytes_;
    std::vector<Slot> slots_; // open addressing, at most half full
    int shift_ = 0;
    Slot none_;
};

} // namespace assay::engine
