// The store of one run: one SQLite file, one writer thread, many trials.
//
//   auto store = RunStore::create("run.db", plan, options);   // or RunStore::open for resume
//   auto attempt = store->begin_try(slot.id);
//   attempt->emit(EventKind::Note, R"({"text":"hello"})");
//   attempt->finish(end);                 // returns when it is on the disk
//
// Everything is append-only and O(1) in the length of the run. Rows are queued and committed in
// batches (<= 10 ms or 256 rows); finish() is a barrier with synchronous=FULL. Text passes the
// Redactor before it is queued. All calls are thread-safe. If a write fails (disk full, I/O error)
// the store stops accepting rows: every later call throws that error, and what was committed stays.
#pragma once

#include "assay/base/clock.h"
#include "assay/base/redact.h"
#include "assay/store/records.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class TryWriter : public EventSink { // of one try; usable from several threads
  public:
    virtual const Id& id() const = 0;
    virtual int number() const = 0; // n, from 1: retries are tries
    virtual void call(CallRecord call) = 0;
    virtual void phase(PhaseRecord phase) = 0;
    virtual void score(ScoreRecord score) = 0;
    virtual void artifact(std::string_view path, const BlobRef& blob) = 0;
    virtual void measurement(const Measurement& measurement) = 0;
    // At most once, and the last call. Error(Internal) if the slot has an accepted try already.
    virtual void finish(TryEnd end) = 0;
};

enum class Journal {
    Auto,     // WAL, or Rollback where the file system cannot do it (network mounts, FUSE)
    Rollback, // exclusive: nobody can read the run while it is written
};

struct StoreOptions {
    const Redactor* redactor = nullptr; // outlives the store, as does the clock
    const Clock* clock = nullptr;       // nullptr: the system's
    bool durable = true;                // false: tests and benchmarks of the rest
    Journal journal = Journal::Auto;
    std::string vfs = {}; // a registered SQLite VFS, for fault injection; empty: the default
};

class RunStore {
  public:
    // Error(Usage) if `path` exists, or if another process writes it.
    static std::unique_ptr<RunStore> create(const Path& path, const PlanRecord& plan,
                                            const StoreOptions& options);
    // For resume. Tries that were begun and not finished when the last writer died are closed as
    // infrastructure errors ("harness/interrupted"); their slots are open again.
    static std::unique_ptr<RunStore> open(const Path& path, const StoreOptions& options);
    virtual ~RunStore() = default; // commits what is queued; TryWriters must be gone

    virtual bool live_readers() const = 0; // false: Journal::Rollback is in force

    virtual const PlanRecord& plan() const = 0;
    virtual BlobStore& blobs() = 0;
    // Slots that have no accepted try yet, in order: what a resume runs.
    virtual std::vector<SlotRecord> open_slots() = 0;
    virtual std::unique_ptr<TryWriter> begin_try(const Id& slot) = 0;
    // Facts about machine, build and backend at this start; each start of the run adds one.
    virtual void environment(std::string_view json) = 0;
    // What a person changed about the run after it was planned.
    virtual void audit(std::string_view who, std::string_view what, std::string_view why) = 0;
    virtual void price(std::string_view model, std::string_view json) = 0;
    virtual void connection_changed(const ConnectionChange& change) = 0;
    virtual void flush() = 0;                             // barrier
    virtual void finish_run(std::string_view status) = 0; // "complete", "stopped", "cost limit"
};

// Merges finished or partial shards of one plan into `target` (made if absent). Insert-or-ignore,
// resumable; the same key with other content is Error(Input) that names both files.
void merge_runs(const std::vector<Path>& parts, const Path& target);

} // namespace assay
