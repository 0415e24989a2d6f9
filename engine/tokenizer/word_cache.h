// The tokens of words met lately. A fixed table, one cache line for a word; a new word takes the
// place of another. For one thread at a time.
#pragma once

#include "assay/engine/tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace assay::engine {

class WordCache {
  public:
    WordCache()
        : entries_(kEntries) {}

    static bool fits(std::string_view word) { return word.size() <= kLongestWord; }

    // Appends the tokens of a word that fits, or gives false.
    bool find(std::string_view word, std::vector<TokenId>& out) const {
        const Entry& entry = entries_[place(word)];
        if (entry.length != word.size() || std::memcmp(entry.word, word.data(), word.size()) != 0)
            return false;
        out.insert(out.end(), entry.ids, entry.ids + entry.count);
        return true;
    }

    void put(std::string_view word, const TokenId* ids, std::size_t count) {
        if (count > kMostIds) return;
        Entry& entry = entries_[place(word)];
        entry.length = static_cast<std::uint8_t>(word.size());
        entry.count = static_cast<std::uint8_t>(count);
        std::memcpy(entry.word, word.data(), word.size());
        std::memcpy(entry.ids, ids, count * sizeof *ids);
    }

  private:
    static constexpr std::size_t kEntries = 1 << 14, kLongestWord = 26, kMostIds = 9;
    struct alignas(64) Entry {
        std::uint8_t length = 0; // 0: free
        std::uint8_t count = 0;
        char word[kLongestWord];
        TokenId ids[kMostIds];
    };
    static_assert(sizeof(Entry) == 64);

    static std::size_t place(std::string_view word) {
        std::uint64_t hash = word.size();
        for (std::size_t at = 0; at < word.size(); at += 8) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, word.data() + at, std::min<std::size_t>(8, word.size() - at));
            hash = (hash ^ eight) * 0x9E3779B97F4A7C15u;
            hash ^= hash >> 32;
        }
        return hash & (kEntries - 1);
    }

    std::vector<Entry> entries_;
};

} // namespace assay::engine
