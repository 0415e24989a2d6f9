#include "schedule.h"

#include "assay/base/error.h"

#include <algorithm>

namespace assay::engine {

namespace {

// All rows of a scored text have logits: few at a time, for they are as wide as the vocabulary.
constexpr std::int64_t kScoredRows = 64;

} // namespace

Schedule::Schedule(PageCache& cache, PrefixTree& tree, const BatcherOptions& options)
    : cache_(cache)
    , tree_(tree)
    , most_running_(static_cast<std::size_t>(std::max(1, options.running)))
    , step_tokens_(std::max(1, options.step_tokens)) {}

void Schedule::add(std::shared_ptr<Job> job) {
    waiting_.push_back(std::move(job));
}

std::vector<Piece> Schedule::next() {
    pieces_.clear();
    admit();
    decode();
    prefill();
    return std::move(pieces_);
}

void Schedule::admit() {
    while (!waiting_.empty() && running_.size() < most_running_ &&
           (running_.empty() || fits(*waiting_.front()))) {
        waiting_.front()->sequence.emplace(cache_);
        running_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
}

// A page to spare for each that runs: they grow too.
bool Schedule::fits(const Job& job) const {
    const std::int64_t block = cache_.block();
    std::int64_t wanted = job.length() / block + 1 + static_cast<std::int64_t>(running_.size());
    wanted -= cache_.free_pages();
    if (wanted <= 0) return true;
    return wanted <= tree_.evictable() + tree_.in_use(job.keys);
}

void Schedule::decode() {
    const auto all = running_; // postponing changes it
    for (const auto& job : all)
        if (job->sequence && job->decoding()) add_piece(job, 1);
}

void Schedule::prefill() {
    const auto all = running_;
    std::int64_t left = step_tokens_, scored = kScoredRows;
    for (std::size_t i = 0; i < all.size() && left > 0; ++i) {
        const auto& job = all[(turn_ + i) % all.size()];
        if (!job->sequence || job->decoding()) continue;
        if (!job->scoring) {
            tree_.adopt(*job->sequence, job->keys, job->length() - 1);
            if (computed_by_other(*job)) continue;
        }
        const std::int64_t most = job->scoring ? std::min(left, scored) : left;
        if (most == 0) continue;
        const std::int64_t count = std::min(most, job->open());
        if (!add_piece(job, count)) continue;
        left -= count;
        if (job->scoring) scored -= count;
    }
    ++turn_;
}

bool Schedule::add_piece(const std::shared_ptr<Job>& job, std::int64_t count) {
    if (!make_room(job, count)) return false;
    pieces_.push_back({job, count});
    return true;
}

// The call waits for one that computes the same tokens in this step, and then adopts them.
bool Schedule::computed_by_other(const Job& job) const {
    const std::int64_t begin = job.sequence->length();
    return std::any_of(pieces_.begin(), pieces_.end(), [&](const Piece& piece) {
        const Job& other = *piece.job;
        const std::int64_t at = other.sequence->length();
        if (other.scoring || begin < at || begin >= at + piece.count) return false;
        // The last token of a prompt is computed by each, since its logits are wanted.
        const std::int64_t size = std::min(begin + 1, job.length() - 1);
        return size > begin && other.length() > begin &&
               std::equal(job.keys.begin(), job.keys.begin() + size, other.keys.begin());
    });
}

bool Schedule::make_room(const std::shared_ptr<Job>& job, std::int64_t count) {
    while (!job->sequence->reserve(count)) {
        if (tree_.evict()) {
            ++evicted_;
            continue;
        }
        const auto last = running_.back();
        if (last == job && running_.size() == 1)
            throw Error(ErrorKind::Internal, "the cache does not hold a single call");
        postpone(last);
        if (last == job) return false;
    }
    return true;
}

void Schedule::postpone(const std::shared_ptr<Job>& job) {
    ++postponed_;
    std::erase_if(pieces_, [&](const Piece& piece) { return piece.job == job; });
    remove(job);
    waiting_.push_front(job);
}

void Schedule::remember(Job& job) {
    const auto length = static_cast<std::size_t>(job.sequence->length());
    tree_.insert(*job.sequence, std::span(job.keys).first(length));
}

void Schedule::remove(const std::shared_ptr<Job>& job) {
    if (job->sequence) {
        remember(*job);
        job->sequence.reset();
    }
    std::erase(running_, job);
    std::erase(waiting_, job);
}

} // namespace assay::engine
