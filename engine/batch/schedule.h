// Who is computed next: admission, pages, turns. Of the batcher's thread.
#pragma once

#include "job.h"

#include <deque>
#include <memory>
#include <vector>

namespace assay::engine {

struct Piece { // tokens of a call that go through the layers in one step
    std::shared_ptr<Job> job;
    std::int64_t count = 0;
};

class Schedule {
  public:
    Schedule(PageCache& cache, PrefixTree& tree, const BatcherOptions& options);

    void add(std::shared_ptr<Job> job); // at the end of the queue
    // The next step, with room in the cache for it. Empty if there is no call, and seldom when
    // calls make room for one that was looked at before: then the oldest goes on in the next.
    std::vector<Piece> next();
    void remove(const std::shared_ptr<Job>& job); // its tokens stay known
    void remember(Job& job);

    const std::vector<std::shared_ptr<Job>>& running() const { return running_; }
    const std::deque<std::shared_ptr<Job>>& waiting() const { return waiting_; }
    std::uint64_t evicted() const { return evicted_; }
    std::uint64_t postponed() const { return postponed_; }

  private:
    void admit();
    bool fits(const Job& job) const;
    void decode();
    void prefill();
    bool add_piece(const std::shared_ptr<Job>& job, std::int64_t count);
    bool make_room(const std::shared_ptr<Job>& job, std::int64_t count);
    void postpone(const std::shared_ptr<Job>& job);
    bool computed_by_other(const Job& job) const;

    PageCache& cache_;
    PrefixTree& tree_;
    const std::size_t most_running_;
    const std::int64_t step_tokens_;
    std::deque<std::shared_ptr<Job>> waiting_;
    std::vector<std::shared_ptr<Job>> running_; // in order of arrival
    std::vector<Piece> pieces_;
    std::size_t turn_ = 0; // whose prompt comes first
    std::uint64_t evicted_ = 0, postponed_ = 0;
};

} // namespace assay::engine
