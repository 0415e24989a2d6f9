// A SQLite VFS for tests: the default one, but the n-th write, sync or truncate fails, and so do
// all after it (a full disk stays full). A failing write still writes its first half. It also
// counts what is written to a log and not yet synced, to see whether a barrier is one.
#pragma once

#include <atomic>
#include <string>

namespace assay {

enum class Fault { Full, Io };

struct FaultPlan {
    std::atomic<int> operations{0}; // writes, syncs and truncates so far
    std::atomic<int> fail_from{-1}; // the first that fails; -1: none
    std::atomic<Fault> fault{Fault::Full};
    std::atomic<int> unsynced{0}; // writes to logs and files of databases since their last sync
    void reset(int from, Fault kind) {
        operations = 0;
        fault = kind;
        unsynced = 0;
        fail_from = from;
    }
};

FaultPlan& fault_plan();
std::string fault_vfs(); // registers it once; the name for StoreOptions::vfs

} // namespace assay
