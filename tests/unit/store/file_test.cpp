// Files that are no run, or not quite one; formats; journals.
#include "assay/base/error.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "catch.h"
#include "file_lock.h"
#include "open_file.h"
#include "sample_plan.h"
#include "schema.h"

#include <fmt/format.h>
#include <sys/stat.h>

using namespace assay;
using Catch::Contains;

namespace {

Path run_file(const Path& file, int slots = 6) {
    auto store = RunStore::create(file, sample_plan(), {});
    for (const SlotRecord& slot : store->open_slots()) {
        if (slots-- == 0) break;
        auto attempt = store->begin_try(slot.id);
        for (int i = 0; i < 200; ++i)
            attempt->emit(EventKind::Note, "{\"i\":" + std::to_string(i) + "}",
                          {{"out", store->blobs().put(std::string(300, 'a') + std::to_string(i),
                                                      "text/plain")}});
        CallRecord call;
        call.role = "agent";
        call.output = store->blobs().put("{}", "application/json");
        call.template_hash = sha256("template");
        attempt->call(call);
        attempt->score({"s", "1", "reward", true, 1, {}, "[]", "{}", sha256("input")});
        attempt->finish(scored(1));
    }
    return file;
}

Path data_file(int version) {
    return fmt::format(ASSAY_TEST_DATA "/store/run-v{}.sqlite", version);
}

void refused(const Path& file, const std::vector<std::string>& says) { // one of them
    CAPTURE(file);
    auto everything = [&] {
        auto reader = RunReader::open(file);
        for (const TryRow& row : reader->tries())
            reader->events(row.row, [&](const EventRow& event) {
                reader->blob(event.blobs.at(0).second);
                return true;
            });
    };
    try {
        everything();
        FAIL("it was read");
    } catch (const Error& e) {
        CAPTURE(e.message());
        CHECK(std::any_of(says.begin(), says.end(), [&](const std::string& part) {
            return e.message().find(part) != std::string::npos;
        }));
        CHECK_THAT(e.message(), Contains(file.filename().string()));
        CHECK(e.kind() == ErrorKind::Input);
    }
    CHECK_THROWS_AS(merge_runs({file}, file.parent_path() / "target.db"), Error);
}

std::string schema_of(const Path& file) {
    Database db(file, Database::Mode::Read, "");
    std::string out;
    Statement row(db, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
    while (row.step()) out += row.text(0) + " " + row.text(1) + ": " + row.text(2) + "\n";
    return out;
}

} // namespace

TEST_CASE("store file: what is not a run is refused with a sentence that says why") {
    TempFolder folder;
    RealFileSystem files;
    auto at = [&](const char* name) { return folder.path() / name; };
    files.write(at("text.db"), std::string(5000, 't'), 0600);
    refused(at("text.db"), {"not a run of assay (not an SQLite file)"});
    files.write(at("short.db"), "SQLite format 3", 0600);
    refused(at("short.db"), {"not an SQLite file"});
    files.write(at("empty.db"), "", 0600);
    refused(at("empty.db"), {"it is empty"});
    refused(at("absent.db"), {"no such file"});
    files.make_folders(at("folder.db"));
    refused(at("folder.db"), {"a folder, not a run"});
    Database(at("foreign.db"), Database::Mode::Create, "").execute("CREATE TABLE t(x)");
    refused(at("foreign.db"), {"but not a run of assay"});
    run_file(at("newer.db"), 1);
    Database(at("newer.db"), Database::Mode::Write, "").execute("PRAGMA user_version=99");
    refused(at("newer.db"), {"written by a newer assay (format 99"});
    CHECK_THROWS_WITH(RunStore::open(at("newer.db"), {}), Contains("newer assay"));
    CHECK_THROWS_WITH(RunStore::open(at("foreign.db"), {}), Contains("not a run of assay"));
    CHECK_THROWS_WITH(RunStore::open(at("text.db"), {}), Contains("not an SQLite file"));
    CHECK_THROWS_WITH(RunStore::open(at("absent.db"), {}), Contains("no such file"));
}

TEST_CASE("store file: a cut or overwritten file is called damaged, not misread") {
    TempFolder folder;
    Path whole = run_file(folder.path() / "whole.db");
    auto size = std::filesystem::file_size(whole);
    for (std::uintmax_t keep : {size - 8192, size / 2, std::uintmax_t{8192}, std::uintmax_t{700}}) {
        Path cut = folder.path() / ("cut-" + std::to_string(keep) + ".db");
        std::filesystem::copy_file(whole, cut);
        std::filesystem::resize_file(cut, keep);
        refused(cut, {"damaged", "not an SQLite file"});
        CHECK_THROWS_AS(RunStore::open(cut, {}), Error);
    }
    // Every byte of the last pages: a wrong blob or page must not crash nor allocate at will.
    RealFileSystem files;
    std::string bytes = files.read(whole, 1u << 30);
    for (int i = 0; i < 40; ++i) {
        std::string changed = bytes;
        for (std::size_t at = 8192 + static_cast<std::size_t>(i) * 101; at < changed.size();
             at += 4000)
            changed[at] = static_cast<char>(changed[at] ^ (1 << (i % 8)));
        Path file = folder.path() / "changed.db";
        files.write(file, changed, 0600);
        try {
            auto reader = RunReader::open(file);
            for (const TryRow& row : reader->tries()) {
                reader->calls(row.row);
                reader->events(row.row, [&](const EventRow& event) {
                    for (const auto& [name, blob] : event.blobs) reader->blob(blob);
                    return true;
                });
            }
        } catch (const Error& e) {
            CAPTURE(e.message());
            CHECK(e.kind() != ErrorKind::Internal);
        }
    }
}

// tests/data/store/ has a file of each format, made when it was the newest by
// `test_unit_store [.make-newest]`.
TEST_CASE("store file: a file of each format is brought forward, read and resumed") {
    for (int version = 1; version <= kSchemaVersion; ++version) {
        CAPTURE(version);
        TempFolder folder;
        Path file = folder.path() / "old.db";
        std::filesystem::copy_file(data_file(version), file);
        CHECK(Database(file, Database::Mode::Read, "").integer("PRAGMA user_version") == version);
        if (version == 1)
            Database(file, Database::Mode::Write, "")
                .execute(
                    "INSERT INTO score VALUES(1, 999, 's', '1', 'reward', 1, 1.0, '[]', '{}')");
        if (version < kSchemaVersion)
            CHECK_THROWS_WITH(merge_runs({file}, folder.path() / "whole.db"),
                              Contains("in an older format"));
        for (bool opened_for_writing : {false, true}) {
            if (opened_for_writing) CHECK(RunStore::open(file, {})->open_slots().size() == 5);
            auto reader = RunReader::open(file);
            CHECK(reader->plan().digest() == sample_plan().digest());
            auto tries = reader->tries();
            REQUIRE(tries.size() == 1);
            CHECK(tries[0].end.score == 1.0);
            auto input_hash = reader->scores(tries[0].row).at(0).input_hash;
            CHECK(input_hash == (version > 1 ? std::optional(sha256("input")) : std::nullopt));
            if (version > 1) {
                CHECK(reader->calls(tries[0].row).at(0).template_hash == sha256("template"));
            }
            int events = 0;
            reader->events(tries[0].row, [&](const EventRow& event) {
                CHECK(reader->blob(event.blobs.at(0).second) ==
                      std::string(300, 'a') + std::to_string(events++));
                return true;
            });
            CHECK(events == 200);
            CHECK(Database(file, Database::Mode::Read, "").integer("PRAGMA user_version") ==
                  (opened_for_writing ? kSchemaVersion : version)); // reading changes nothing
        }
        {
            auto store = RunStore::open(file, {});
            store->begin_try(store->open_slots()[0].id)->finish(scored(0));
        }
        CHECK(RunReader::open(file)->tries().size() == 2);
        // A migrated file and a new one have the same tables: a released migration was not edited.
        CHECK(schema_of(file) == schema_of(run_file(folder.path() / "new.db", 0)));
    }
}

TEST_CASE("makes the file of the newest format in tests/data/store", "[.make-newest]") {
    Path file = data_file(kSchemaVersion);
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::remove(file);
    run_file(file, 1);
}

TEST_CASE("store file: with a rollback journal nobody else gets in until it is closed") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    PlanRecord plan = sample_plan();
    {
        auto store = RunStore::create(file, plan, {.journal = Journal::Rollback});
        CHECK_FALSE(store->live_readers());
        auto attempt = store->begin_try(plan.slots[0].id);
        BlobRef blob = store->blobs().put("text", "text/plain");
        CHECK(store->blobs().get(blob) == "text");
        attempt->finish(scored(1));
        CHECK_THROWS_WITH(RunReader::open(file), Contains("another process holds it"));
        CHECK_THROWS_WITH(RunStore::open(file, {}), Contains("is writing it"));
        CHECK_FALSE(std::filesystem::exists(file.string() + "-wal"));
    }
    CHECK(RunReader::open(file)->tries().size() == 1);
    auto store = RunStore::open(file, {});
    CHECK(store->live_readers());
    CHECK(store->open_slots().size() == 5);
}

TEST_CASE("store file: a finished run is one file, and can be read where nothing can be written") {
    TempFolder folder;
    Path inside = folder.path() / "ro";
    std::filesystem::create_directories(inside);
    Path file = run_file(inside / "run.db", 1);
    auto files = [&] { return std::distance(std::filesystem::directory_iterator(inside), {}); };
    CHECK(files() == 1);
    {
        auto one = RunReader::open(file), two = RunReader::open(file);
        CHECK(one->tries().size() == 1);
        CHECK(two->tries().size() == 1);
    }
    CHECK(files() == 1); // SQLite's own files are gone again
    merge_runs({file}, folder.path() / "merged.db");
    CHECK(files() == 1);
    ::chmod(inside.c_str(), 0500);
    CHECK(RunReader::open(file)->tries().size() == 1);
    CHECK(RunReader::open(file)->summary().status == "interrupted");
    ::chmod(inside.c_str(), 0700);
    CHECK(file_system_without_wal(file).empty()); // a test folder is on a local disk
}

TEST_CASE("store file: a lock can be asked for without taking it") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    CHECK_FALSE(FileLock::held(file));
    {
        FileLock lock(file);
        CHECK(FileLock::held(file));
        CHECK_THROWS_AS(FileLock(file), Error);
    }
    CHECK_FALSE(FileLock::held(file));
    CHECK_FALSE(std::filesystem::exists(file.string() + "-lock"));
    // A lock file left by a process that was killed holds nothing.
    RealFileSystem files;
    files.write(file.string() + "-lock", "1\n", 0600);
    CHECK_FALSE(FileLock::held(file));
    CHECK_NOTHROW(FileLock(file));
}
