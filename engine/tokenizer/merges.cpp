#include "tokenizer/merges.h"

#include <algorithm>
#include <bit>
#include <queue>

namespace assay::engine {

namespace {
// Up to here a scan for the lowest rank is faster than a heap.
constexpr std::size_t kShort = 64;

std::uint64_t pair_of(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
}
} // namespace

Merges::Merges(const TokenizerFile& file)
    : bytes_(file.bytes) {
    std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * file.merges.size(), 16));
    slots_.resize(size);
    shift_ = 64 - std::countr_zero(size);
    for (std::size_t rank = 0; rank < file.merges.size(); ++rank) {
        const Merge& merge = file.merges[rank];
        std::uint64_t pair = pair_of(merge.left, merge.right);
        std::size_t at = home(pair);
        while (slots_[at].rank != kNone && slots_[at].pair != pair) at = (at + 1) & (size - 1);
        // Of a pair that stands there twice the later rank counts, as upstream.
        slots_[at] = {pair, static_cast<std::uint32_t>(rank), merge.result};
    }
}

const Merges::Slot& Merges::find(TokenId left, TokenId right) const {
    std::uint64_t pair = pair_of(left, right);
    for (std::size_t at = home(pair);; at = (at + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[at];
        if (slot.pair == pair) return slot;
        if (slot.rank == kNone) return none_;
    }
}

void Merges::encode(std::string_view word, std::vector<TokenId>& out) const {
    if (word.size() <= kShort) {
        encode_short(word, out);
    } else {
        encode_long(word, out);
    }
}

void Merges::encode_short(std::string_view word, std::vector<TokenId>& out) const {
    TokenId ids[kShort];
    std::uint32_t ranks[kShort]; // of the pair that begins here
    TokenId results[kShort];
    std::size_t count = word.size();
    auto rank = [&](std::size_t i) {
        const Slot& slot = find(ids[i], ids[i + 1]);
        ranks[i] = slot.rank;
        results[i] = slot.result;
    };
    for (std::size_t i = 0; i < count; ++i) ids[i] = bytes_[static_cast<unsigned char>(word[i])];
    for (std::size_t i = 0; i + 1 < count; ++i) rank(i);
    while (count > 1) {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < count; ++i)
            if (ranks[i] < ranks[best]) best = i;
        if (ranks[best] == kNone) break;
        ids[best] = results[best];
        --count;
        std::copy(ids + best + 2, ids + count + 1, ids + best + 1);
        if (best + 1 < count) {
            std::copy(ranks + best + 2, ranks + count, ranks + best + 1);
            std::copy(results + best + 2, results + count, results + best + 1);
            rank(best);
        }
        if (best > 0) rank(best - 1);
    }
    out.insert(out.end(), ids, ids + count);
}

void Merges::encode_long(std::string_view word, std::vector<TokenId>& out) const {
    struct Symbol {
        TokenId id, result;
        std::uint32_t rank; // with the next one; kNone also for what was merged away
        std::uint32_t previous, next;
    };
    auto count = static_cast<std::uint32_t>(word.size());
    std::vector<Symbol> symbols(count);
    using Entry =
        std::uint64_t; // rank, then position: the lowest comes first, the leftmost of those
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
    auto rank = [&](std::uint32_t i) {
        Symbol& symbol = symbols[i];
        symbol.rank = kNone;
        if (symbol.next == count) return;
        const Slot& slot = find(symbol.id, symbols[symbol.next].id);
        symbol.rank = slot.rank;
        symbol.result = slot.result;
        if (slot.rank != kNone) queue.push(static_cast<Entry>(slot.rank) << 32 | i);
    };
    for (std::uint32_t i = 0; i < count; ++i) {
        symbols[i].id = bytes_[static_cast<unsigned char>(word[i])];
        symbols[i].previous = i - 1;
        symbols[i].next = i + 1;
    }
    for (std::uint32_t i = 0; i < count; ++i) rank(i);
    while (!queue.empty()) {
        auto at = static_cast<std::uint32_t>(queue.top());
        auto lowest = static_cast<std::uint32_t>(queue.top() >> 32);
        queue.pop();
        Symbol& symbol = symbols[at];
        if (symbol.rank != lowest) continue; // it has changed since
        Symbol& gone = symbols[symbol.next];
        symbol.id = symbol.result;
        symbol.next = gone.next;
        gone.rank = kNone;
        if (symbol.next != count) symbols[symbol.next].previous = at;
        rank(at);
        if (at != 0) rank(symbol.previous);
    }
    for (std::uint32_t i = 0; i < count; i = symbols[i].next) out.push_back(symbols[i].id);
}

} // namespace assay::engine
