// The one thread that writes a run: takes rows from a bounded queue, commits them in batches.
//
// A batch is closed 10 ms after its first row, at 256 rows, or at once for an urgent row. push()
// blocks while the queue is full, so trials cannot outrun the disk by more than the bounds below.
// After a failed write the writer stops for good: the batch is rolled back, and every push() and
// wait() throws the error from then on. Thread-safe.
#pragma once

#include "assay/base/sync.h"
#include "inserter.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

namespace assay {

enum class Urgency {
    Batch,   // may wait for others
    Now,     // commit what is queued
    Durable, // commit, and sync the disk before wait() returns
};

class Writer {
  public:
    // `wal`: else a rollback journal, synced at every commit. `durable` false: never syncs.
    Writer(Database db, bool wal, bool durable);
    ~Writer(); // commits what is queued; logs if that fails

    std::uint64_t push(Row row, std::size_t bytes, Urgency urgency = Urgency::Batch);
    void wait(std::uint64_t ticket); // until the row with that ticket is committed
    void check();                    // throws the error that stopped the writer

  private:
    struct Queue {
        std::vector<Row> rows;
        std::size_t bytes = 0;
        std::uint64_t pushed = 0, committed = 0;
        std::chrono::steady_clock::time_point first; // when the oldest row came
        Urgency urgency = Urgency::Batch;
        bool idle = false; // the thread waits for a first row
        bool stop = false;
        std::optional<Error> failure;
    };
    void run();
    bool take(std::vector<Row>& batch, Urgency& urgency); // false: stop
    void commit(std::vector<Row>& batch, Urgency urgency);
    void synchronous(const char* level);
    void checkpoint(int mode);

    Database db_;
    const bool wal_, durable_;
    const char* level_ = "";
    int wal_pages_ = 0, tried_pages_ = 0; // in the WAL now, and when last checkpointed
    int checkpoint_pages_ = 0;
    std::optional<Inserter> inserter_;
    Sync<Queue> queue_;
    std::condition_variable work_, space_, done_;
    std::thread thread_;
};

} // namespace assay
