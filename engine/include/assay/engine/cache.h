// Keys, values and index keys of tokens, in pages that all layers share: page = block of the sparse
// attention, so that a chosen block is one page. A page may belong to several sequences; one that
// is not full belongs to one. Memory is reserved once and touched as pages are first used.
#pragma once

#include "assay/engine/config.h"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace assay::engine {

enum class Compute : std::uint8_t {
    F32, // activations as they come out
    Bf16 // rounded where a bfloat16 model stores them; sums, norms, softmax and router in float
};

class PageCache {
  public:
    // For Compute::Bf16 the pages hold bf16 if heads and blocks have even sizes; a forward pass in
    // bf16 also takes pages of floats, which cost twice the memory. Throws Error(Usage) if the
    // budget does not hold a page.
    PageCache(const TextConfig& config, std::uint64_t budget_bytes, Compute compute = Compute::F32);
    ~PageCache();
    PageCache(const PageCache&) = delete;

    std::int64_t block() const { return block_; }
    bool bf16() const { return value_bytes_ == 2; }
    std::uint64_t page_bytes() const { return page_bytes_; }
    // Of a page, and so of a budget that holds n pages.
    static std::uint64_t bytes_of_page(const TextConfig& config, Compute compute = Compute::F32);
    int pages() const { return static_cast<int>(references_.size()); }
    int free_pages() const;

    int take(); // one reference; -1: none is free
    void retain(int page);
    void release(int page);
    int references(int page) const;
    void copy(int from, int to); // what all layers have of its tokens

    // Of one KV head, laid out as kernels::CachedBlock has it: keys [head_dim, block], values
    // [block, head_dim]; index keys [index_dim, block].
    void* keys(int page, int layer, int kv_head) const;
    void* values(int page, int layer, int kv_head) const;
    void* index_keys(int page, int layer) const;

  private:
    std::int64_t block_ = 0, kv_heads_ = 0;
    std::uint64_t value_bytes_ = 0, head_bytes_ = 0, page_bytes_ = 0;
    std::vector<std::uint64_t> layers_; // offset of each in a page
    std::byte* memory_ = nullptr;
    std::uint64_t bytes_ = 0;
    mutable std::mutex mutex_;
    std::vector<int> references_, free_;
};

// Tokens that a cache holds. Owns a reference to each page.
class Sequence {
  public:
    explicit Sequence(PageCache& cache)
        : cache_(&cache) {}
    ~Sequence();
    Sequence(const Sequence&) = delete;
    Sequence(Sequence&& other) noexcept;

    // Shares the complete pages and copies the last one if it is not full. Throws Error(Model) if
    // no page is free.
    Sequence branch() const;
    // Room for `count` more tokens; false, and nothing changed, if there are too few free pages.
    bool reserve(std::int64_t count);
    void advance(std::int64_t count) { length_ += count; } // they have been written
    // The next `count` tokens are those at the beginning of a page that another sequence wrote. The
    // length is at the beginning of a page, and the room behind it not reserved. A whole page is
    // shared; of a part a copy is made, and false returned if there is no page for it.
    bool adopt(int page, std::int64_t count);
    void replace(std::size_t index, int page); // by one that holds the same

    std::int64_t length() const { return length_; }
    const std::vector<int>& pages() const { return pages_; }
    PageCache& cache() const { return *cache_; }

  private:
    PageCache* cache_;
    std::vector<int> pages_;
    std::int64_t length_ = 0;
};

} // namespace assay::engine
