// Pages of the cache by the tokens that they hold: a tree whose nodes are pages and whose paths are
// prompts, so that a prompt finds what was computed of its beginning, whoever computed it.
//
// Holds one reference to each page. A page that is not full may still be written by its sequence,
// behind the tokens that the tree knows: who finds it takes a copy. Of one thread.
#pragma once

#include "assay/engine/cache.h"

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace assay::engine {

// What a token's keys and values follow from beside its position and those before it: the id, or
// for a row of a picture a hash of the picture with the highest bit set.
using TokenKey = std::uint64_t;

class PrefixTree {
  public:
    explicit PrefixTree(PageCache& cache);
    ~PrefixTree();
    PrefixTree(const PrefixTree&) = delete;

    // Extends a sequence that holds the first keys, if it ends with a page, by what is known of the
    // following ones, but not beyond `limit` tokens; returns how many were added.
    std::int64_t adopt(Sequence& sequence, std::span<const TokenKey> keys, std::int64_t limit);
    // Remembers the pages of a sequence, `keys` being all that it holds. Complete ones that the
    // tree has already are replaced in the sequence: the same tokens have the same bits. So whoever
    // uses a page uses those before it too.
    void insert(Sequence& sequence, std::span<const TokenKey> keys);

    // Gives back the page at the end of a path that was not used for the longest time; false: all
    // such pages are in use by sequences.
    bool evict();
    std::int64_t pages() const { return pages_; }
    std::int64_t evictable() const; // pages that no sequence uses
    // Complete pages of a prompt that sequences use: they cost its sequence nothing.
    std::int64_t in_use(std::span<const TokenKey> keys) const;

  private:
    struct Node;
    using ByUse = std::pair<std::uint64_t, Node*>;

    std::int64_t block() const { return cache_.block(); }
    Node* follow(std::span<const TokenKey> keys, std::int64_t pages) const;
    static std::pair<Node*, std::int64_t> nearest(const Node& parent,
                                                  std::span<const TokenKey> keys);
    void touch(Node& node);
    Node& add(Node& parent, std::span<const TokenKey> keys, int page);
    void remove(Node& leaf);

    PageCache& cache_;
    std::unique_ptr<Node> root_;
    std::set<ByUse> leaves_; // the least recently used first
    std::uint64_t uses_ = 0;
    std::int64_t pages_ = 0;
};

} // namespace assay::engine
