// Opening the file of a run for writing: the journal mode that its file system allows.
#pragma once

#include "assay/store/store.h"
#include "sqlite.h"

namespace assay {

struct OpenedFile {
    Database db;
    bool wal;
};

// The file must exist and hold a run; the caller holds its FileLock. Migrates it to this version.
OpenedFile open_for_writing(const Path& path, const StoreOptions& options);

// Makes the file with its tables and the plan, whole or not at all.
void create_file(const Path& path, const PlanRecord& plan, std::int64_t now,
                 const StoreOptions& options);

// Why WAL cannot be used at `path`: the name of a kind of file system; empty: it can.
std::string file_system_without_wal(const Path& path);

// Opens a run to read: in place where its folder is read-only. Error(Input) says what is wrong.
Database open_for_reading(const Path& path);
// The same, also for an older format: then the handle is of a copy that was brought forward.
Database open_any_format(const Path& path);

// The plan as stored. Needs the tables of this version.
PlanRecord read_plan(Database& db);
void write_plan(Database& db, const PlanRecord& plan, std::int64_t now);

} // namespace assay
