#include "fault_vfs.h"

#include <sqlite3.h>

#include <cstring>

namespace assay {

namespace {

struct FaultFile { // followed in memory by the real file
    sqlite3_file base;
    bool counted;
};

sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<FaultFile*>(file) + 1);
}
const sqlite3_io_methods& methods(sqlite3_file* file) {
    return *real(file)->pMethods;
}

// The code to fail with; SQLITE_OK: go on.
int next_fault(int io_code) {
    FaultPlan& plan = fault_plan();
    int at = plan.operations++;
    int from = plan.fail_from;
    if (from < 0 || at < from) return SQLITE_OK;
    return plan.fault == Fault::Full ? SQLITE_FULL : io_code;
}

int do_close(sqlite3_file* file) {
    return methods(file).xClose(real(file));
}
int do_read(sqlite3_file* file, void* into, int size, sqlite3_int64 at) {
    return methods(file).xRead(real(file), into, size, at);
}
int do_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
    if (int code = next_fault(SQLITE_IOERR_WRITE); code != SQLITE_OK) {
        methods(file).xWrite(real(file), data, size / 2, at);
        return code;
    }
    if (reinterpret_cast<FaultFile*>(file)->counted) ++fault_plan().unsynced;
    return methods(file).xWrite(real(file), data, size, at);
}
int do_truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (int code = next_fault(SQLITE_IOERR_TRUNCATE); code != SQLITE_OK) return code;
    return methods(file).xTruncate(real(file), size);
}
// Counted, not done: no test here loses power, and a thousand real ones take minutes.
int do_sync(sqlite3_file*, int) {
    if (int code = next_fault(SQLITE_IOERR_FSYNC); code != SQLITE_OK) return code;
    fault_plan().unsynced = 0;
    return SQLITE_OK;
}
int do_size(sqlite3_file* file, sqlite3_int64* size) {
    return methods(file).xFileSize(real(file), size);
}
int do_lock(sqlite3_file* file, int level) {
    return methods(file).xLock(real(file), level);
}
int do_unlock(sqlite3_file* file, int level) {
    return methods(file).xUnlock(real(file), level);
}
int do_check_lock(sqlite3_file* file, int* out) {
    return methods(file).xCheckReservedLock(real(file), out);
}
int do_control(sqlite3_file* file, int op, void* argument) {
    return methods(file).xFileControl(real(file), op, argument);
}
int do_sector(sqlite3_file* file) {
    return methods(file).xSectorSize(real(file));
}
int do_device(sqlite3_file* file) {
    return methods(file).xDeviceCharacteristics(real(file));
}
int do_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return methods(file).xShmMap(real(file), page, size, extend, out);
}
int do_shm_lock(sqlite3_file* file, int offset, int n, int flags) {
    return methods(file).xShmLock(real(file), offset, n, flags);
}
void do_shm_barrier(sqlite3_file* file) {
    methods(file).xShmBarrier(real(file));
}
int do_shm_unmap(sqlite3_file* file, int remove) {
    return methods(file).xShmUnmap(real(file), remove);
}

const sqlite3_io_methods kMethods = {
    2,           do_close,       do_read,       do_write,   do_truncate, do_sync,   do_size,
    do_lock,     do_unlock,      do_check_lock, do_control, do_sector,   do_device, do_shm_map,
    do_shm_lock, do_shm_barrier, do_shm_unmap,  nullptr,    nullptr};

sqlite3_vfs* default_vfs() {
    static sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
    return vfs;
}

int do_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    auto* ours = reinterpret_cast<FaultFile*>(file);
    ours->base.pMethods = nullptr;
    ours->counted = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) != 0;
    int code = default_vfs()->xOpen(default_vfs(), name, real(file), flags, out);
    if (real(file)->pMethods != nullptr) ours->base.pMethods = &kMethods;
    return code;
}

} // namespace

FaultPlan& fault_plan() {
    static FaultPlan plan;
    return plan;
}

std::string fault_vfs() {
    static sqlite3_vfs vfs = [] {
        sqlite3_vfs out = *default_vfs();
        out.zName = "assay-fault";
        out.szOsFile += static_cast<int>(sizeof(FaultFile));
        out.pNext = nullptr;
        out.xOpen = do_open;
        return out;
    }();
    sqlite3_vfs_register(&vfs, 0);
    return vfs.zName;
}

} // namespace assay
