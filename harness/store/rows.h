// Ready-made rows on their way from the trials to the writer thread: redacted, packed, numbered.
#pragma once

#include "assay/store/records.h"
#include "packing.h"

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace assay {

struct RowKey { // (try, seq)
    std::int64_t attempt = 0;
    std::int64_t seq = 0;
};

struct NamedBlob {
    std::string name;
    BlobRef blob;
};

struct BeginRow {
    std::int64_t row;
    Id id, slot;
    int number;
    std::int64_t began;
};
struct FinishRow {
    std::int64_t row;
    std::unique_ptr<TryEnd> end;
};
struct NewEventRow {
    RowKey key;
    std::optional<std::int64_t> span;
    std::int64_t time;
    EventKind kind;
    std::string json;
    std::vector<NamedBlob> blobs;
};
struct NewCallRow {
    RowKey key;
    std::unique_ptr<CallRecord> call;
};
struct NewPhaseRow {
    RowKey key;
    PhaseRecord phase;
};
struct NewScoreRow {
    RowKey key;
    std::unique_ptr<ScoreRecord> score;
};
struct NewArtifactRow {
    RowKey key;
    std::string path;
    BlobRef blob;
};
struct NewMeasurementRow {
    RowKey key;
    std::unique_ptr<Measurement> measurement;
};
struct BlobRow {
    Digest hash;
    std::uint64_t size; // unpacked
    Packed packed;
};
struct ChunkRow {
    Digest blob;
    int number;
    std::uint64_t size;
    Packed packed;
};
struct EnvironmentRow {
    Id id;
    std::int64_t time;
    std::string json;
};
struct AuditRow {
    Id id;
    std::int64_t time;
    std::string who, what, why;
};
struct PriceRow {
    std::string model;
    std::int64_t time;
    std::string json;
};
struct ConnectionRow {
    Id id;
    ConnectionChange change;
};
struct EndRow { // of the run
    std::int64_t time;
    std::string status;
};
struct FetchRow { // not a row but a question: the writer's connection also sees what is not
                  // committed
    Digest hash;
    std::promise<std::string> answer;
};
struct BarrierRow {};

using Row = std::variant<BarrierRow, BeginRow, FinishRow, NewEventRow, NewCallRow, NewPhaseRow,
                         NewScoreRow, NewArtifactRow, NewMeasurementRow, BlobRow, ChunkRow,
                         EnvironmentRow, AuditRow, PriceRow, ConnectionRow, EndRow, FetchRow>;

} // namespace assay
