// Writes ready-made rows with prepared statements. Belongs to the writer thread.
#pragma once

#include "rows.h"
#include "sqlite.h"

namespace assay {

class Inserter {
  public:
    explicit Inserter(Database& db);
    void insert(Row& row);

  private:
    void operator()(BarrierRow&) {}
    void operator()(BeginRow& row);
    void operator()(FinishRow& row);
    void operator()(NewEventRow& row);
    void operator()(NewCallRow& row);
    void operator()(NewPhaseRow& row);
    void operator()(NewScoreRow& row);
    void operator()(NewArtifactRow& row);
    void operator()(NewMeasurementRow& row);
    void operator()(BlobRow& row);
    void operator()(ChunkRow& row);
    void operator()(EnvironmentRow& row);
    void operator()(AuditRow& row);
    void operator()(PriceRow& row);
    void operator()(ConnectionRow& row);
    void operator()(EndRow& row);
    void operator()(FetchRow& row);
    void refer(const RowKey& key, int position, std::string_view owner, std::string_view name,
               const BlobRef& blob);

    Database& db_;
    Statement begin_, finish_, event_, call_, phase_, score_, artifact_, measurement_, blob_,
        chunk_, ref_, environment_, audit_, price_, connection_, end_;
};

// The bytes of a blob, chunks joined. Error(Input) if it is not there or is damaged.
std::string read_blob(Database& db, const Digest& hash);

} // namespace assay
