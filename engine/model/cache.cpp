#include "assay/engine/cache.h"

#include "assay/base/error.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstring>

namespace assay::engine {

namespace {

constexpr std::int64_t kDenseBlock = 128; // where no layer is sparse, and no block is named

std::int64_t block_of(const TextConfig& config) {
    return config.block > 0 ? config.block : kDenseBlock;
}

std::uint64_t values_of_layer(const TextConfig& config, const LayerKind& layer) {
    const std::int64_t index = layer.sparse ? config.index_dim : 0;
    return static_cast<std::uint64_t>(
        block_of(config) *
        (2 * static_cast<std::int64_t>(config.kv_heads) * config.head_dim + index));
}

std::uint64_t bytes_of_value(const TextConfig& config, Compute compute) {
    const bool even =
        block_of(config) % 2 == 0 && config.head_dim % 2 == 0 && config.index_dim % 2 == 0;
    return compute == Compute::Bf16 && even ? 2 : 4;
}

} // namespace

std::uint64_t PageCache::bytes_of_page(const TextConfig& config, Compute compute) {
    std::uint64_t values = 0;
    for (const LayerKind& layer : config.layers) values += values_of_layer(config, layer);
    return values * bytes_of_value(config, compute);
}

PageCache::PageCache(const TextConfig& config, std::uint64_t budget_bytes, Compute compute)
    : block_(block_of(config))
    , kv_heads_(config.kv_heads)
    , value_bytes_(bytes_of_value(config, compute))
    , head_bytes_(static_cast<std::uint64_t>(config.head_dim * block_) * value_bytes_) {
    for (const LayerKind& layer : config.layers) {
        layers_.push_back(page_bytes_);
        page_bytes_ += values_of_layer(config, layer) * value_bytes_;
    }
    const std::uint64_t pages = budget_bytes / page_bytes();
    if (pages == 0)
        throw Error(ErrorKind::Usage,
                    fmt::format("the cache budget of {} bytes holds no page", budget_bytes))
            .hint(fmt::format("a page of {} tokens takes {} bytes", block_, page_bytes()));
    bytes_ = pages * page_bytes();
    void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        throw Error(ErrorKind::Io, fmt::format("no memory for a cache of {} bytes", bytes_));
    memory_ = static_cast<std::byte*>(memory);
    references_.resize(pages);
    for (std::uint64_t page = pages; page-- > 0;) free_.push_back(static_cast<int>(page));
}

PageCache::~PageCache() {
    ::munmap(memory_, bytes_);
}

int PageCache::free_pages() const {
    std::lock_guard lock(mutex_);
    return static_cast<int>(free_.size());
}

int PageCache::take() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return -1;
    int page = free_.back();
    free_.pop_back();
    references_[static_cast<std::size_t>(page)] = 1;
    return page;
}

void PageCache::retain(int page) {
    std::lock_guard lock(mutex_);
    ++references_[static_cast<std::size_t>(page)];
}

void PageCache::release(int page) {
    std::lock_guard lock(mutex_);
    if (--references_[static_cast<std::size_t>(page)] == 0) free_.push_back(page);
}

int PageCache::references(int page) const {
    std::lock_guard lock(mutex_);
    return references_[static_cast<std::size_t>(page)];
}

void PageCache::copy(int from, int to) {
    std::memcpy(keys(to, 0, 0), keys(from, 0, 0), page_bytes());
}

void* PageCache::keys(int page, int layer, int kv_head) const {
    return memory_ + static_cast<std::uint64_t>(page) * page_bytes_ +
           layers_[static_cast<std::size_t>(layer)] +
           static_cast<std::uint64_t>(kv_head) * head_bytes_;
}

void* PageCache::values(int page, int layer, int kv_head) const {
    return keys(page, layer, static_cast<int>(kv_heads_) + kv_head);
}

void* PageCache::index_keys(int page, int layer) const {
    return keys(page, layer, static_cast<int>(2 * kv_heads_));
}

Sequence::Sequence(Sequence&& other) noexcept
    : cache_(other.cache_)
    , pages_(std::move(other.pages_))
    , length_(other.length_) {
    other.pages_.clear();
    other.length_ = 0;
}

Sequence Sequence::branch() const {
    Sequence out(*cache_);
    const auto full = static_cast<std::size_t>(length_ / cache_->block());
    for (std::size_t i = 0; i < full; ++i) {
        cache_->retain(pages_[i]);
        out.pages_.push_back(pages_[i]);
    }
    if (length_ % cache_->block() != 0) {
        int page = cache_->take();
        if (page < 0)
            throw Error(ErrorKind::Model, "the cache has no free page to branch a sequence");
        out.pages_.push_back(page);
        cache_->copy(pages_[full], page);
    }
    out.length_ = length_;
    return out;
}

bool Sequence::reserve(std::int64_t count) {
    const std::int64_t block = cache_->block();
    const auto wanted = static_cast<std::size_t>((length_ + count + block - 1) / block);
    const std::size_t before = pages_.size();
    while (pages_.size() < wanted) {
        int page = cache_->take();
        if (page < 0) {
            while (pages_.size() > before) {
                cache_->release(pages_.back());
                pages_.pop_back();
            }
            return false;
        }
        pages_.push_back(page);
    }
    return true;
}

bool Sequence::adopt(int page, std::int64_t count) {
    if (length_ != static_cast<std::int64_t>(pages_.size()) * cache_->block() ||
        count > cache_->block())
        throw Error(ErrorKind::Internal, "a page is adopted in the middle of another");
    if (count == cache_->block()) {
        cache_->retain(page);
    } else {
        int own = cache_->take();
        if (own < 0) return false;
        cache_->copy(page, own);
        page = own;
    }
    pages_.push_back(page);
    length_ += count;
    return true;
}

void Sequence::replace(std::size_t index, int page) {
    cache_->retain(page);
    cache_->release(pages_[index]);
    pages_[index] = page;
}

Sequence::~Sequence() {
    for (int page : pages_) cache_->release(page);
}

} // namespace assay::engine
