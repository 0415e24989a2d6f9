// Reading a run: finished, or live in a snapshot. Used by show, list, reports, exports and replay.
#pragma once

#include "assay/store/records.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct TryRow {
    std::int64_t row = 0; // key within this file
    Id id;
    Id slot, arm;
    std::string task, family;
    int attempt = 1; // k
    int number = 1;  // n
    std::int64_t began = 0;
    bool running = false; // begun, not finished
    TryEnd end;
};

struct EventRow {
    std::int64_t sequence = 0;
    std::optional<std::int64_t> span; // sequence of the event that opened the span it belongs to
    int depth = 0;                    // spans around it
    std::int64_t time = 0;            // microseconds since the epoch
    EventKind kind{};
    std::string json;
    std::vector<std::pair<std::string, BlobRef>> blobs;
};

struct ArtifactRow {
    std::string path;
    BlobRef blob;
};

struct RunSummary {
    std::int64_t created = 0, ended = 0; // 0: not ended
    std::string status; // "running" while it is; "interrupted" if its writer died; else as given
                        // to finish_run()
    std::string file;   // path it was read from
};

// A reader sees the run as it was when it was opened. Not thread-safe: one reader a thread.
class RunReader {
  public:
    static std::unique_ptr<RunReader> open(const Path& path); // Error(Input) says what is wrong
    virtual ~RunReader() = default;

    virtual const PlanRecord& plan() = 0;
    virtual RunSummary summary() = 0;
    virtual std::vector<std::string> environments() = 0;            // JSON, one per start
    virtual std::vector<AuditRecord> audit() = 0;                   // by time
    virtual std::vector<ConnectionChange> connection_changes() = 0; // by time
    virtual std::vector<TryRow> tries() = 0;                        // by order, then n
    virtual std::vector<TryRow> tries(const std::string& task, std::optional<int> attempt) = 0;
    virtual std::vector<PhaseRecord> phases(std::int64_t try_row) = 0;
    virtual std::vector<CallRecord> calls(std::int64_t try_row) = 0;
    virtual std::vector<ScoreRecord> scores(std::int64_t try_row) = 0;
    virtual std::vector<ArtifactRow> artifacts(std::int64_t try_row) = 0;
    virtual std::vector<Measurement> measurements(std::int64_t try_row) = 0;
    // Streams a try's events in order; return false to stop.
    virtual void events(std::int64_t try_row, const std::function<bool(EventRow)>& visit) = 0;
    virtual std::string blob(const BlobRef& ref) = 0;
};

} // namespace assay
