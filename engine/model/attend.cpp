// Attention of groups of rows over the pages of their sequences, and the choice of blocks before
// it. A block is read once for all rows of a group that chose it; each row folds its blocks in
// ascending order, so that neither the group nor the chunk shows in the result.
#include "assay/kernels/elementwise.h"
#include "assay/kernels/select.h"
#include "step.h"

#include <algorithm>
#include <cmath>

namespace assay::engine {

namespace {

constexpr std::int64_t kGroupRows = 64;
constexpr std::int64_t kRankedBlocks = 8; // of a task

int tokens_in(std::int64_t position, std::int64_t b, std::int64_t block) {
    return static_cast<int>(std::min(block, position + 1 - b * block));
}

} // namespace

void Forward::Step::group_rows() {
    std::int64_t values = 0;
    for (std::int64_t r = 0; r < rows_; ++r) {
        const Row& row = row_[static_cast<std::size_t>(r)];
        Group* last = groups_.empty() ? nullptr : &groups_.back();
        if (last != nullptr && last->sequence == row.sequence && last->rows < kGroupRows &&
            last->position + last->rows == row.position)
            ++last->rows;
        else
            groups_.push_back({row.sequence, r, 1, row.position});
        best_.push_back(values);
        if (ranked(r)) values += visible(r) * c_.index_heads;
    }
    b_.best.fit(values, false);
}

std::int64_t Forward::Step::visible(std::int64_t r) const {
    const Row& row = row_[static_cast<std::size_t>(r)];
    return row.position / row.sequence->cache().block() + 1;
}

bool Forward::Step::ranked(std::int64_t r) const {
    return probe_ != nullptr || visible(r) > c_.top_blocks;
}

kernels::CachedBlock Forward::Step::cached(const Group& group, int layer, std::int64_t b,
                                           int kv_head) const {
    const PageCache& cache = group.sequence->cache();
    const int page = group.sequence->pages()[static_cast<std::size_t>(b)];
    return {cache.bf16() ? kernels::CacheType::Bf16 : kernels::CacheType::F32, c_.head_dim,
            cache.block(), cache.keys(page, layer, kv_head), cache.values(page, layer, kv_head)};
}

const void* Forward::Step::query(const PageCache& cache, Rows& q, std::int64_t value) {
    if (cache.bf16()) return q.narrow_at(value);
    return q.at(value);
}

// The block maxima of all rows to which they matter.
void Forward::Step::rank(int layer) {
    std::vector<std::pair<const Group*, std::int64_t>> tasks; // and the first of its blocks
    for (const Group& group : groups_) {
        const std::int64_t last = group.first + group.rows - 1;
        if (!ranked(last)) continue;
        for (std::int64_t b = 0; b < visible(last); b += kRankedBlocks)
            tasks.emplace_back(&group, b);
    }
    p_.workers.run(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t task) {
        const auto& [group, first] = tasks[static_cast<std::size_t>(task)];
        const std::int64_t all = visible(group->first + group->rows - 1);
        for (std::int64_t b = first; b < std::min(first + kRankedBlocks, all); ++b)
            rank_block(layer, *group, b);
    });
}

void Forward::Step::rank_block(int layer, const Group& group, std::int64_t b) {
    const PageCache& cache = group.sequence->cache();
    const auto& pages = group.sequence->pages();
    thread_local std::vector<kernels::RankRow> rows;
    rows.clear();
    for (std::int64_t r = group.first; r < group.first + group.rows; ++r)
        if (ranked(r) && visible(r) > b)
            rows.push_back(
                {query(cache, b_.index_q, r * c_.index_heads * c_.index_dim),
                 b_.best.at(best_[static_cast<std::size_t>(r)] + b * c_.index_heads),
                 tokens_in(row_[static_cast<std::size_t>(r)].position, b, cache.block())});
    const auto at = static_cast<std::size_t>(b);
    const bool more = at + 1 < pages.size();
    kernels::fold_best().rank(
        {{cache.bf16() ? kernels::CacheType::Bf16 : kernels::CacheType::F32, c_.index_dim,
          cache.block(), cache.index_keys(pages[at], layer), nullptr},
         c_.index_heads,
         1,
         rows,
         more ? cache.index_keys(pages[at + 1], layer) : nullptr});
}

// Of each row the blocks of a KV head that it attends to, ascending, -1 at the end; where there are
// at most as many as it may choose, all. The index head of a KV head ranks them.
void Forward::Step::choose(const Group& group, int kv_head, std::vector<std::int32_t>& chosen) {
    const std::int64_t top = c_.top_blocks;
    const int head = kv_head * c_.index_heads / c_.kv_heads;
    thread_local std::vector<float> best;
    thread_local std::vector<std::int32_t> out;
    chosen.assign(static_cast<std::size_t>(group.rows * (top + 1)), -1);
    for (std::int64_t i = 0; i < group.rows; ++i) {
        const std::int64_t r = group.first + i, count = visible(r);
        std::int32_t* to = chosen.data() + i * (top + 1);
        if (!ranked(r)) {
            for (std::int64_t b = 0; b < count; ++b) to[b] = static_cast<std::int32_t>(b);
            continue;
        }
        best.resize(static_cast<std::size_t>(count));
        out.resize(best.size());
        for (std::int64_t b = 0; b < count; ++b)
            best[static_cast<std::size_t>(b)] =
                *b_.best.at(best_[static_cast<std::size_t>(r)] + b * c_.index_heads + head);
        const int n =
            kernels::select_blocks(best, c_.top_blocks, c_.init_blocks, c_.local_blocks, out);
        std::copy_n(out.begin(), n, to);
        if (probe_ == nullptr) continue;
        blocks_[static_cast<std::size_t>(kv_head)][static_cast<std::size_t>(r)] = {out.begin(),
                                                                                   out.begin() + n};
        scores_[static_cast<std::size_t>(kv_head)][static_cast<std::size_t>(r)] = best;
    }
}

// The query heads of one KV head at the positions of a group.
void Forward::Step::attend(int layer, bool sparse, const Group& group, int kv_head) {
    const PageCache& cache = group.sequence->cache();
    const std::int64_t heads = c_.heads / c_.kv_heads, width = heads * c_.head_dim;
    const std::int64_t top = c_.top_blocks;
    auto at = [&](std::int64_t i) { // where the values of its i-th row begin
        return ((group.first + i) * c_.heads + kv_head * heads) * c_.head_dim;
    };
    auto state = [&](std::int64_t i) {
        return b_.state.at(((group.first + i) * c_.heads + kv_head * heads) * 2);
    };
    thread_local std::vector<std::int32_t> chosen, cursor;
    thread_local std::vector<kernels::FoldRow> rows, later;
    if (sparse) choose(group, kv_head, chosen);
    cursor.assign(static_cast<std::size_t>(group.rows), 0);
    const std::int64_t blocks = visible(group.first + group.rows - 1);
    // The rows that attend to block b or, if there is none, to the next that some row attends to.
    auto next_rows = [&](std::int64_t& b, std::vector<kernels::FoldRow>& out) {
        for (out.clear(); b < blocks && out.empty(); b += out.empty())
            for (std::int64_t i = 0; i < group.rows; ++i) {
                std::int32_t& n = cursor[static_cast<std::size_t>(i)];
                const std::int64_t position = group.position + i;
                if (sparse ? chosen[static_cast<std::size_t>(i * (top + 1) + n)] != b
                           : b * cache.block() > position)
                    continue;
                out.push_back({query(cache, b_.q, at(i)), b_.mixed.at(at(i)), state(i),
                               tokens_in(position, b, cache.block()), n == 0});
                ++n;
            }
    };
    std::uint64_t read = 0;
    std::int64_t b = 0;
    next_rows(b, rows);
    while (!rows.empty()) {
        ++read;
        std::int64_t after = b + 1;
        next_rows(after, later);
        kernels::fold_best().fold(
            {cached(group, layer, b, kv_head), heads,
             static_cast<float>(1.0 / std::sqrt(static_cast<double>(c_.head_dim))), rows,
             later.empty() ? nullptr : cached(group, layer, after, kv_head).keys});
        std::swap(rows, later);
        b = after;
    }
    p_.blocks += read;
    for (std::int64_t i = 0; i < group.rows; ++i) {
        kernels::fold_best().finish(b_.mixed.at(at(i)), state(i), heads, c_.head_dim);
        if (bf16())
            kernels::elementwise_best().round(b_.mixed.at(at(i)), b_.mixed.narrow_at(at(i)), width);
    }
}

} // namespace assay::engine
