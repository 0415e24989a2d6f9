#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/store/store.h"
#include "file_lock.h"
#include "open_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

namespace assay {

namespace {

// Of run and plan; `schema` is a database that is open in `db`.
std::string plan_key(const Database& db, std::string_view schema) {
    Statement key(db, fmt::format("SELECT hex(id) || hex(plan_digest) FROM {}.run", schema));
    return key.step() ? key.text(0) : std::string();
}

[[noreturn]] void refuse_other_plan(const std::string& part, const std::string& other) {
    throw Error(ErrorKind::Input,
                "merge: " + part + " and " + other + " are runs of different plans")
        .hint("shards come from one `assay plan`; to compare runs, give both to report");
}

// Merging one part is one transaction: after a kill the target holds whole parts, and the same
// command goes on with the rest.
class Merger {
  public:
    Merger(Database& target, const Path& target_path)
        : db_(target)
        , target_(target_path.string()) {}

    void merge(const Path& part) {
        part_ = part.string();
        Database reading = attach(part); // closed last: leaves no log's files beside the part
        {
            Transaction transaction(db_);
            if (plan_key(db_, "part") != plan_key(db_, "main")) refuse_other_plan(part_, target_);
            map_tries();
            for (const char* table :
                 {"event", "call", "phase", "score", "artifact", "measurement", "blob_ref"})
                copy_children(table);
            for (const char* table : {"environment", "price", "audit", "connection_limit"})
                copy_facts(table);
            copy_blobs();
            update_run();
            transaction.commit();
        }
        Statement(db_, "DETACH part").run();
        Statement(db_, "DROP TABLE temp.mapped").run();
    }

  private:
    // The same checks and the same way of opening as any reader's.
    Database attach(const Path& part) {
        Database reading = open_for_reading(part);
        bool immutable =
            sqlite3_uri_boolean(sqlite3_db_filename(reading.get(), "main"), "immutable", 0) != 0;
        std::string uri = sqlite_uri(part, immutable ? "immutable=1" : "mode=ro");
        Statement attach(db_, "ATTACH ? AS part");
        attach.bind(1, uri).run();
        db_.execute("CREATE TEMP TABLE mapped(part INTEGER PRIMARY KEY, main INTEGER NOT NULL, "
                    "known INTEGER NOT NULL)");
        return reading;
    }

    // What has not finished is left out: it may finish yet, and then its rows will differ.
    void map_tries() {
        std::string columns = column_list("try", {"row"}, "");
        std::string differs = "(" + column_list("try", {"row"}, "p.") + ") IS NOT (" +
                              column_list("try", {"row"}, "m.") + ")";
        refuse_conflict("SELECT p.row FROM part.try p JOIN main.try m ON m.id = p.id "
                        "WHERE p.class IS NOT NULL AND " +
                            differs + " LIMIT 1",
                        "try");
        db_.execute("INSERT INTO mapped SELECT p.row, m.row, 1 FROM part.try p "
                    "JOIN main.try m ON m.id = p.id WHERE p.class IS NOT NULL");
        check_accepted();
        remember_new();
        db_.execute(("INSERT INTO main.try(" + columns + ") SELECT " + columns +
                     " FROM part.try WHERE class IS NOT NULL AND "
                     "row NOT IN (SELECT part FROM mapped) ORDER BY row")
                        .c_str());
        db_.execute("INSERT OR IGNORE INTO mapped SELECT p.row, m.row, 0 FROM part.try p "
                    "JOIN main.try m ON m.id = p.id WHERE p.class IS NOT NULL");
        if (std::int64_t open = db_.integer("SELECT count(*) FROM part.try WHERE class IS NULL"))
            log_warn("merge: {}: unfinished tries that are left out: {}", part_, open);
    }

    // Two machines that ran the same slot, each with a result.
    void check_accepted() {
        refuse_conflict("SELECT p.row FROM part.try p JOIN main.try m ON m.slot = p.slot "
                        "WHERE p.accepted = 1 AND m.accepted = 1 AND m.id <> p.id LIMIT 1",
                        "accepted try");
    }

    void remember_new() {
        Statement added(db_, "SELECT id FROM part.try WHERE class IS NOT NULL AND "
                             "row NOT IN (SELECT part FROM mapped)");
        while (added.step()) origin_[added.id(0)] = part_;
    }

    void copy_children(const std::string& table) {
        bool refs = table == "blob_ref";
        std::string key = refs ? "m.seq = p.seq AND m.position = p.position" : "m.seq = p.seq";
        refuse_conflict(fmt::format("SELECT p.try FROM part.{0} p JOIN mapped t ON t.part = p.try "
                                    "JOIN main.{0} m ON m.try = t.main AND {1} "
                                    "WHERE t.known = 1 AND ({2}) IS NOT ({3}) LIMIT 1",
                                    table, key, column_list(table, {"try"}, "p."),
                                    column_list(table, {"try"}, "m.")),
                        table);
        std::string columns = column_list(table, {"try"}, "");
        db_.execute(fmt::format("INSERT OR IGNORE INTO main.{0}(try, {1}) SELECT t.main, {2} "
                                "FROM mapped t CROSS JOIN part.{0} p ON p.try = t.part "
                                "ORDER BY t.main",
                                table, columns, column_list(table, {"try"}, "p."))
                        .c_str());
    }

    void copy_facts(const std::string& table) {
        std::string columns = column_list(table, {}, "");
        db_.execute(fmt::format("INSERT OR IGNORE INTO main.{0}({1}) SELECT {1} FROM part.{0}",
                                table, columns)
                        .c_str());
    }

    // All of them: messages refer to images inside their JSON, which no blob_ref shows.
    void copy_blobs() {
        db_.execute("INSERT OR IGNORE INTO main.blob_chunk(blob, n, codec, size, bytes) "
                    "SELECT blob, n, codec, size, bytes FROM part.blob_chunk ORDER BY row;"
                    "INSERT OR IGNORE INTO main.blob(hash, codec, size, bytes) "
                    "SELECT hash, codec, size, bytes FROM part.blob ORDER BY row");
    }

    void update_run() {
        db_.execute("UPDATE main.run SET created = min(created, (SELECT created FROM part.run)), "
                    "ended = max(ended, (SELECT ended FROM part.run)), "
                    "status = iif((SELECT count(*) FROM main.try WHERE accepted = 1) = "
                    "(SELECT count(*) FROM main.slot), 'complete', 'stopped')");
    }

    // `query` finds the part's row of a try for which the two files disagree.
    void refuse_conflict(const std::string& query, const std::string& what) {
        Statement found(db_, query);
        if (!found.step()) return;
        std::int64_t row = found.integer(0);
        found.reset();
        Statement name(db_, "SELECT s.task, s.attempt, t.n, m.id FROM part.try t "
                            "JOIN part.slot s ON s.id = t.slot "
                            "LEFT JOIN main.try m ON m.slot = t.slot AND (m.id = t.id OR "
                            "m.accepted = 1) WHERE t.row = ? ORDER BY m.id = t.id DESC");
        name.bind(1, row);
        name.step();
        std::string other = target_;
        if (!name.is_null(3))
            if (auto from = origin_.find(name.id(3)); from != origin_.end()) other = from->second;
        std::string key = fmt::format("task {}, attempt {}, try {}", name.text(0), name.integer(1),
                                      name.integer(2));
        name.reset();
        throw Error(ErrorKind::Input, fmt::format("merge: {} and {} both have {}, but with a "
                                                  "different {}",
                                                  part_, other, key, what))
            .hint("the same part of the plan ran twice: leave one of the two files out");
    }

    // Names of a table's columns, all but `without`, each with a prefix.
    std::string column_list(const std::string& table, const std::vector<std::string>& without,
                            const std::string& prefix) {
        std::string out;
        Statement columns(db_, "SELECT name FROM pragma_table_info(?)");
        columns.bind(1, table);
        while (columns.step()) {
            std::string name = columns.text(0);
            if (std::find(without.begin(), without.end(), name) != without.end()) continue;
            if (!out.empty()) out += ", ";
            out += prefix + name;
        }
        return out;
    }

    Database& db_;
    std::string target_, part_;
    std::map<Id, std::string> origin_; // of the tries that this call has added
};

void refuse_itself(const std::vector<Path>& parts, const Path& target) {
    for (const Path& part : parts) {
        std::error_code ignored;
        if (std::filesystem::equivalent(part, target, ignored))
            throw Error(ErrorKind::Usage,
                        "merge: " + part.string() + " is a part and the target at once");
    }
}

} // namespace

void merge_runs(const std::vector<Path>& parts, const Path& target) {
    if (parts.empty()) throw Error(ErrorKind::Usage, "merge: no parts were given");
    refuse_itself(parts, target);
    FileLock lock(target);
    RealFileSystem files;
    if (!files.exists(target)) {
        Database first = open_for_reading(parts.front());
        for (const Path& part : parts) // before the target is made: a refusal leaves none
            if (plan_key(open_for_reading(part), "main") != plan_key(first, "main"))
                refuse_other_plan(part.string(), parts.front().string());
        create_file(target, read_plan(first), first.integer("SELECT created FROM run"), {});
    }
    OpenedFile file = open_for_writing(target, {});
    file.db.execute("PRAGMA synchronous=FULL");
    Merger merger(file.db, target);
    for (const Path& part : parts) merger.merge(part);
}

} // namespace assay
