// Finds added tokens in a text as upstream does: from left to right, at each place the longest.
#pragma once

#include "tokenizer/tokenizer_file.h"

#include <string_view>
#include <vector>

namespace assay::engine {

class AddedTokens {
  public:
    struct Found {
        std::size_t begin, end; // with the spaces that it takes
        TokenId id;
    };

    void add(const AddedToken& token, std::string content); // content: as it stands in the text
    void sort();                                            // once, behind the last add()
    // In order. With lstrip or rstrip one may begin before the end of the one before it.
    void find(std::string_view text, std::vector<Found>& out) const;

  private:
    struct Entry {
        std::string content;
        TokenId id;
        bool single_word, lstrip, rstrip;
    };
    const Entry* longest_at(std::string_view text, std::size_t at) const;

    std::vector<Entry> entries_;   // by content
    std::size_t first_[257] = {0}; // by first byte, its entries
};

} // namespace assay::engine
