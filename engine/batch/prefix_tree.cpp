#include "prefix_tree.h"

#include <algorithm>

namespace assay::engine {

struct PrefixTree::Node {
    Node* parent = nullptr;
    std::vector<TokenKey> keys{}; // of its page; fewer than a block: a leaf
    int page = -1;
    std::uint64_t used = 0;
    std::vector<std::unique_ptr<Node>> children{};

    std::int64_t size() const { return static_cast<std::int64_t>(keys.size()); }
};

namespace {

std::int64_t common(std::span<const TokenKey> a, std::span<const TokenKey> b) {
    const std::size_t size = std::min(a.size(), b.size());
    return std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(size), b.begin())
               .first -
           a.begin();
}

} // namespace

PrefixTree::PrefixTree(PageCache& cache)
    : cache_(cache)
    , root_(new Node) {}

PrefixTree::~PrefixTree() {
    while (!leaves_.empty()) remove(*leaves_.begin()->second);
}

// The child that shares the most keys, and how many.
std::pair<PrefixTree::Node*, std::int64_t> PrefixTree::nearest(const Node& parent,
                                                               std::span<const TokenKey> keys) {
    std::pair<Node*, std::int64_t> best{nullptr, 0};
    for (const auto& child : parent.children)
        if (std::int64_t shared = common(child->keys, keys); shared > best.second)
            best = {child.get(), shared};
    return best;
}

// The node of the first pages of `keys`; nullptr: not all of them are known.
PrefixTree::Node* PrefixTree::follow(std::span<const TokenKey> keys, std::int64_t pages) const {
    Node* node = root_.get();
    for (std::int64_t i = 0; i < pages && node != nullptr; ++i) {
        auto [child, shared] = nearest(*node, keys.subspan(static_cast<std::size_t>(i * block())));
        node = shared == block() ? child : nullptr;
    }
    return node;
}

std::int64_t PrefixTree::adopt(Sequence& sequence, std::span<const TokenKey> keys,
                               std::int64_t limit) {
    const std::int64_t before = sequence.length();
    if (before != static_cast<std::int64_t>(sequence.pages().size()) * block()) return 0;
    Node* node = follow(keys, before / block());
    while (node != nullptr && sequence.length() < limit) {
        const auto rest = keys.subspan(static_cast<std::size_t>(sequence.length()));
        auto [child, shared] = nearest(*node, rest);
        shared = std::min(shared, limit - sequence.length());
        if (child == nullptr || !sequence.adopt(child->page, shared)) break;
        touch(*child);
        node = shared == block() ? child : nullptr;
    }
    return sequence.length() - before;
}

void PrefixTree::insert(Sequence& sequence, std::span<const TokenKey> keys) {
    Node* node = root_.get();
    std::size_t at = 0;
    for (std::size_t i = 0; at < keys.size(); ++i) {
        const auto mine =
            keys.subspan(at, std::min(keys.size() - at, static_cast<std::size_t>(block())));
        at += mine.size();
        auto [child, shared] = nearest(*node, mine);
        const bool known = shared == static_cast<std::int64_t>(mine.size());
        // What ends within these keys says less than they do.
        if (!known && child != nullptr && shared == child->size()) {
            remove(*child);
            child = nullptr;
        }
        if (known)
            touch(*child);
        else
            child = &add(*node, mine, sequence.pages()[i]);
        if (std::ssize(mine) == block() && child->page != sequence.pages()[i])
            sequence.replace(i, child->page);
        node = child;
    }
}

PrefixTree::Node& PrefixTree::add(Node& parent, std::span<const TokenKey> keys, int page) {
    if (parent.children.empty()) leaves_.erase({parent.used, &parent});
    parent.children.push_back(std::make_unique<Node>());
    Node& node = *parent.children.back();
    node.parent = &parent;
    node.keys.assign(keys.begin(), keys.end());
    node.page = page;
    cache_.retain(page);
    ++pages_;
    leaves_.insert({node.used, &node});
    touch(node);
    return node;
}

void PrefixTree::remove(Node& leaf) {
    Node& parent = *leaf.parent;
    leaves_.erase({leaf.used, &leaf});
    cache_.release(leaf.page);
    --pages_;
    std::erase_if(parent.children, [&](const auto& child) { return child.get() == &leaf; });
    if (parent.children.empty() && parent.parent != nullptr) leaves_.insert({parent.used, &parent});
}

void PrefixTree::touch(Node& node) {
    const bool leaf = node.children.empty();
    if (leaf) leaves_.erase({node.used, &node});
    node.used = ++uses_;
    if (leaf) leaves_.insert({node.used, &node});
}

bool PrefixTree::evict() {
    for (const auto& [used, node] : leaves_) {
        if (cache_.references(node->page) > 1) continue;
        remove(*node);
        return true;
    }
    return false;
}

std::int64_t PrefixTree::evictable() const {
    std::int64_t count = 0;
    std::vector<const Node*> open{root_.get()};
    while (!open.empty()) {
        const Node* node = open.back();
        open.pop_back();
        for (const auto& child : node->children) {
            open.push_back(child.get());
            if (cache_.references(child->page) == 1) ++count;
        }
    }
    return count;
}

std::int64_t PrefixTree::in_use(std::span<const TokenKey> keys) const {
    std::int64_t count = 0;
    const Node* node = root_.get();
    while (keys.size() >= static_cast<std::size_t>(block())) {
        auto [child, shared] = nearest(*node, keys);
        if (child == nullptr || shared < block()) break;
        if (cache_.references(child->page) > 1) ++count;
        node = child;
        keys = keys.subspan(static_cast<std::size_t>(block()));
    }
    return count;
}

} // namespace assay::engine
