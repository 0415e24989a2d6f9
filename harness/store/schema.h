// The tables of a run, their version, and the checks made before a file is trusted.
// docs/store.md describes the tables for people.
#pragma once

#include "sqlite.h"

namespace assay {

constexpr int kApplicationId = 0x41535359; // "ASSY" in the file's header, for file(1) and for us
constexpr int kSchemaVersion = 2;

// Brings an empty or older database to `version`, in one transaction. Forward only.
void migrate(Database& db, int version = kSchemaVersion);

// Error(Input) unless the file is a run that this program can read: says whether it is no database,
// another program's, damaged, or from a newer assay. Returns its version.
int check_schema(Database& db);

} // namespace assay
