#include "open_file.h"

#include "assay/base/fd.h"
#include "assay/base/log.h"
#include "assay/store/plan_json.h"
#include "schema.h"

#include <fcntl.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdio>

namespace assay {

namespace {

// 8 KiB: an event of 1 KiB stays in one page of the b-tree (SQLite spills index rows over an eighth
// of a page), and a small commit still writes little.
constexpr const char* kPageSize = "PRAGMA page_size=8192";

bool has_wal(Database& db) {
    try {
        return db.text("PRAGMA journal_mode=WAL") == "wal";
    } catch (const Error& e) {
        if (e.kind() != ErrorKind::Io) throw;
        return false; // no shared memory, no locks
    }
}

// Nobody else gets in until the handle is closed.
void lock_exclusively(Database& db) {
    db.execute("PRAGMA locking_mode=EXCLUSIVE");
    db.execute("PRAGMA journal_mode=TRUNCATE");
    db.execute("BEGIN EXCLUSIVE; COMMIT");
}

Path beside(Path path, const char* suffix) {
    path += suffix;
    return path;
}

// A read-only folder or medium has no room for SQLite's shared memory; without a log there is
// nothing to share, and the file can be read as it is. A rollback journal is not played back: it
// may come from other people, and SQLite would remove files that it names.
Database readable(const Path& path) {
    RealFileSystem files;
    bool journal = files.exists(beside(path, "-journal"));
    Database db(path, journal ? Database::Mode::Read : Database::Mode::ReadTidy, "");
    try {
        db.integer("SELECT count(*) FROM sqlite_schema");
        return db;
    } catch (const Error&) {
        int code = sqlite3_errcode(db.get()) & 0xff;
        if ((code != SQLITE_CANTOPEN && code != SQLITE_READONLY) ||
            files.exists(beside(path, "-wal")))
            throw;
    }
    return Database(path, Database::Mode::ReadImmutable, "");
}

Database open_run(const Path& path) {
    RealFileSystem files;
    auto info = files.info(path);
    if (!info) throw Error(ErrorKind::Input, "open " + path.string() + ": there is no such file");
    if (info->type == FileInfo::Type::Directory)
        throw Error(ErrorKind::Input, "open " + path.string() + ": this is a folder, not a run");
    return readable(path);
}

// A temporary database on the disk, which goes with its handle.
Database migrated_copy(Database& from) {
    Database copy({}, Database::Mode::Create, "");
    sqlite3_backup* backup = sqlite3_backup_init(copy.get(), "main", from.get(), "main");
    if (backup != nullptr) sqlite3_backup_step(backup, -1);
    int code = backup != nullptr ? sqlite3_backup_finish(backup) : sqlite3_errcode(copy.get());
    if (code != SQLITE_OK)
        throw sqlite_error(from.name(), "copy", code, sqlite3_errmsg(copy.get()));
    migrate(copy);
    return copy;
}

void sync_folder_of(const Path& path) {
    Path folder = path.parent_path().empty() ? Path(".") : path.parent_path();
    UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd) ::fsync(fd.get()); // some file systems refuse; the rename is then as durable as it gets
}

} // namespace

std::string file_system_without_wal(const Path& path) {
    struct statfs info{};
    if (::statfs(path.c_str(), &info) != 0) return {};
    switch (static_cast<std::uint32_t>(info.f_type)) { // statfs(2) lists these
    case 0x6969:
        return "NFS";
    case 0xff534d42:
    case 0xfe534d42:
    case 0x517b:
        return "SMB";
    case 0x01021997:
        return "9P";
    case 0x65735546:
        return "FUSE";
    case 0x00c36400:
        return "Ceph";
    case 0x0bd00bd0:
        return "Lustre";
    case 0x786f4256:
        return "VirtualBox shared folder";
    default:
        return {};
    }
}

OpenedFile open_for_writing(const Path& path, const StoreOptions& options) {
    OpenedFile out{Database(path, Database::Mode::Write, options.vfs), false};
    check_schema(out.db);
    std::string refused = file_system_without_wal(path);
    if (options.journal == Journal::Auto && refused.empty()) {
        out.wal = has_wal(out.db);
        if (!out.wal) refused = "this file system";
    }
    if (!out.wal) {
        if (!refused.empty())
            log_warn("{}: {} cannot share a write-ahead log, so nothing can read the run while it "
                     "is written; a local disk is faster too",
                     path.string(), refused);
        lock_exclusively(out.db);
    }
    migrate(out.db);
    out.db.execute("PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384");
    return out;
}

Database open_for_reading(const Path& path) {
    Database db = open_run(path);
    if (check_schema(db) < kSchemaVersion)
        throw Error(ErrorKind::Input, "open " + path.string() + ": a run in an older format")
            .hint("`assay resume` brings it up to date");
    return db;
}

Database open_any_format(const Path& path) {
    Database db = open_run(path);
    return check_schema(db) < kSchemaVersion ? migrated_copy(db) : std::move(db);
}

void create_file(const Path& path, const PlanRecord& plan, std::int64_t now,
                 const StoreOptions& options) {
    Path part = beside(path, "-new");
    ::unlink(part.c_str());
    {
        Database db(part, Database::Mode::Create, options.vfs);
        db.execute(kPageSize);
        migrate(db);
        Transaction transaction(db);
        write_plan(db, plan, now);
        transaction.commit();
    }
    if (::rename(part.c_str(), path.c_str()) != 0) throw io_error("create " + path.string(), errno);
    sync_folder_of(path);
}

void write_plan(Database& db, const PlanRecord& plan, std::int64_t now) {
    Statement run(db, "INSERT INTO run(id, suite, suite_version, source, seed, settings, metrics, "
                      "plan_digest, created) VALUES(?,?,?,?,?,?,?,?,?)");
    Digest digest = plan.digest();
    run.bind(1, plan.run).bind(2, plan.suite).bind(3, plan.suite_version).bind(4, plan.source);
    run.bind(5, plan.seed).bind(6, plan.settings).bind(7, plan.metrics).bind(8, digest);
    run.bind(9, now).run();
    Statement arm(db, "INSERT INTO arm VALUES(?,?,?,?,?,?,?,?)");
    int position = 0;
    for (const ArmRecord& a : plan.arms) {
        arm.bind(1, a.id).bind(2, position++).bind(3, a.label).bind(4, a.agent);
        arm.bind(5, a.agent_version).bind(6, a.model).bind(7, a.judge).bind(8, a.settings).run();
    }
    Statement slot(db, "INSERT INTO slot VALUES(?,?,?,?,?,?,?)");
    for (const SlotRecord& s : plan.slots) {
        slot.bind(1, s.id).bind(2, s.arm).bind(3, s.task).bind(4, s.family);
        slot.bind(5, s.task_digest).bind(6, s.attempt).bind(7, s.order).run();
    }
    Statement refused(db, "INSERT INTO refused VALUES(?,?,?)");
    position = 0;
    for (const auto& [task, reason] : plan.refused)
        refused.bind(1, position++).bind(2, task).bind(3, reason).run();
}

PlanRecord read_plan(Database& db) {
    PlanRecord plan;
    Statement run(db, "SELECT id, suite, suite_version, source, seed, settings, metrics FROM run");
    if (!run.step()) throw Error(ErrorKind::Input, "read " + db.name() + ": the plan is missing");
    plan.run = run.id(0);
    plan.suite = run.text(1);
    plan.suite_version = run.text(2);
    plan.source = run.text(3);
    plan.seed = static_cast<std::uint64_t>(run.integer(4));
    plan.settings = run.text(5);
    plan.metrics = run.text(6);
    run.reset();
    Statement arm(db, "SELECT id, label, agent, agent_version, model, judge, settings FROM arm "
                      "ORDER BY position");
    while (arm.step())
        plan.arms.push_back({arm.id(0), arm.text(1), arm.text(2), arm.text(3), arm.text(4),
                             arm.text(5), arm.text(6)});
    Statement slot(db, "SELECT id, arm, task, family, task_digest, attempt, position FROM slot "
                       "ORDER BY position");
    while (slot.step())
        plan.slots.push_back({slot.id(0), slot.id(1), slot.text(2), slot.text(3), slot.text(4),
                              static_cast<int>(slot.integer(5)), slot.integer(6)});
    Statement refused(db, "SELECT task, reason FROM refused ORDER BY position");
    while (refused.step()) plan.refused.emplace_back(refused.text(0), refused.text(1));
    return plan;
}

} // namespace assay
