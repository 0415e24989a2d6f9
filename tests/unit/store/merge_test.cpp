#include "assay/base/error.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "catch.h"
#include "sample_plan.h"
#include "sqlite.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>

using namespace assay;

namespace {

// A try's rows, a pure function of the slot: what a shard and a whole run write alike.
void run_slot(RunStore& store, const SlotRecord& slot, double value) {
    if (slot.order % 4 == 3) { // a lost try first
        auto lost = store.begin_try(slot.id);
        lost->emit(EventKind::Error, "{}");
        TryEnd end;
        end.error = ErrorRecord{"sandbox", "lost", ""};
        lost->finish(end);
    }
    auto attempt = store.begin_try(slot.id);
    std::string own = slot.task + "#" + std::to_string(slot.attempt);
    BlobRef shared = store.blobs().put(std::string(600, 's'), "text/plain");
    BlobRef mine = store.blobs().put(own, "text/plain");
    for (int i = 0; i < 5; ++i)
        attempt->emit(EventKind::Note, "{\"i\":" + std::to_string(i) + "}",
                      {{"own", mine}, {"shared", shared}});
    CallRecord call;
    call.role = "agent";
    call.added = {mine, shared};
    call.output = shared;
    call.prompt_ids = {1, 2, 3};
    call.template_hash = sha256("template");
    attempt->call(call);
    attempt->score({"s", "1", "reward", true, value, mine, "[]", "{}", sha256(own)});
    attempt->artifact("/out", mine);
    attempt->measurement({"m", "s", {1, 2}, "{}"});
    attempt->phase({"agent", 1, 2, 3, "done"});
    attempt->finish(scored(value));
}

Path write_run(const Path& file, const PlanRecord& plan, int part, int parts, double value = 1) {
    ManualClock clock;
    auto store = RunStore::create(file, plan, {.clock = &clock});
    store->environment(R"({"machine":1})");
    store->connection_changed({1, "m", 20, 16, "overload"}); // once after a merge
    for (const SlotRecord& slot : store->open_slots())
        if (slot.order % parts == part) run_slot(*store, slot, value);
    store->finish_run("complete");
    return file;
}

// Every row of every table as text; rows of a try under its id, as numbers of rows may differ.
std::string contents(const Path& file) {
    Database db(file, Database::Mode::Read, "");
    std::string out;
    Statement tables(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    while (tables.step()) {
        std::string table = tables.text(0), columns;
        Statement names(db, "SELECT name FROM pragma_table_info(?)");
        names.bind(1, table);
        while (names.step()) {
            std::string name = names.text(0);
            if (name == "row") continue;
            if (name == "try") name = "(SELECT hex(id) FROM try t WHERE t.row = x.try)";
            columns += (columns.empty() ? "quote(" : " || '|' || quote(") + name + ")";
        }
        Statement rows(db, "SELECT " + columns + " AS line FROM " + table + " x ORDER BY line");
        while (rows.step()) out += table + ": " + rows.text(0) + "\n";
    }
    return out;
}

} // namespace

TEST_CASE("merge: shards give the rows of a whole run, in any order, once or twice") {
    TempFolder folder;
    auto at = [&](const char* name) { return folder.path() / name; };
    PlanRecord plan = sample_plan(4, 3);
    std::string whole = contents(write_run(at("whole.db"), plan, 0, 1));
    Path a = write_run(at("a 1.db"), plan, 0, 3), b = write_run(at("b'%.db"), plan, 1, 3),
         c = write_run(at("c.db"), plan, 2, 3);
    merge_runs({a, b, c}, at("abc.db"));
    CHECK(contents(at("abc.db")) == whole);
    merge_runs({c, a}, at("later.db"));
    CHECK(RunStore::open(at("later.db"), {})->open_slots().size() == 4);
    CHECK(contents(at("later.db")) != whole);
    merge_runs({a, b, b}, at("later.db"));
    CHECK(contents(at("later.db")) == whole);
    merge_runs({a, b, c}, at("later.db"));
    CHECK(contents(at("later.db")) == whole);
    CHECK(RunReader::open(at("later.db"))->summary().status == "complete");
    CHECK(RunStore::open(at("abc.db"), {})->open_slots().empty());
}

TEST_CASE("merge: the same key with other content is refused and names both files and the key") {
    TempFolder folder;
    auto at = [&](const char* name) { return folder.path() / name; };
    PlanRecord plan = sample_plan(4, 1);
    Path a = write_run(at("a.db"), plan, 0, 2), b = write_run(at("b.db"), plan, 1, 2);
    Path other = write_run(at("other.db"), plan, 1, 2, 0.5);
    using Catch::Contains;
    CHECK_THROWS_WITH(merge_runs({a, b, other}, at("t.db")),
                      Contains("other.db and ") && Contains("b.db both have task task-2, attempt "
                                                            "1, try 1, but with a different try"));
    // What was merged before stays whole.
    CHECK(RunStore::open(at("t.db"), {})->open_slots().empty());
    CHECK_THROWS_WITH(merge_runs({other}, at("t.db")),
                      Contains("other.db and ") && Contains("t.db both have task"));
    // An event changed by hand in a copy of the same shard.
    std::filesystem::copy_file(b, at("edited.db"));
    Database(at("edited.db"), Database::Mode::Write, "")
        .execute("UPDATE event SET json = '{\"i\":9}' WHERE seq = 1");
    CHECK_THROWS_WITH(merge_runs({at("edited.db")}, at("t.db")),
                      Contains("edited.db") && Contains("different event"));
    // The same slot, accepted on the second try on one machine and on the first on the other.
    {
        auto store = RunStore::create(at("retried.db"), plan, {});
        store->begin_try(plan.slots[0].id)->finish(TryEnd{});
        store->begin_try(plan.slots[0].id)->finish(scored(1));
    }
    CHECK_THROWS_AS(merge_runs({at("retried.db")}, at("t.db")), Error);
    PlanRecord changed = plan;
    changed.seed = 1;
    CHECK_THROWS_WITH(merge_runs({write_run(at("x.db"), changed, 0, 1)}, at("t.db")),
                      Contains("different plans"));
    CHECK_THROWS_WITH(merge_runs({a, at("t.db")}, at("t.db")), Contains("at once"));
    CHECK_THROWS_WITH(merge_runs({at("absent.db")}, at("t.db")), Contains("no such file"));
}

TEST_CASE("merge: a try that still runs is left out, and comes once it has finished") {
    TempFolder folder;
    Path part = folder.path() / "part.db", target = folder.path() / "t.db";
    PlanRecord plan = sample_plan(2, 1);
    auto store = RunStore::create(part, plan, {});
    run_slot(*store, plan.slots[0], 1);
    auto running = store->begin_try(plan.slots[1].id);
    running->emit(EventKind::Note, "{}");
    store->flush();
    merge_runs({part}, target); // while it is written
    CHECK(RunReader::open(target)->tries().size() == 1);
    running->finish(scored(0));
    store->finish_run("complete");
    merge_runs({part}, target);
    CHECK(contents(target) == contents(part));
}

// The program that is killed: this one, told so by an environment variable.
TEST_CASE("merge: child", "[.merge-child]") {
    const char* folder = std::getenv("ASSAY_TEST_MERGE");
    if (folder == nullptr) return;
    Path in = folder;
    merge_runs({in / "a.db", in / "b.db", in / "c.db"}, in / "t.db");
}

TEST_CASE("merge: killed at random moments, it goes on to the same rows") {
    TempFolder folder;
    auto at = [&](const char* name) { return folder.path() / name; };
    PlanRecord plan = sample_plan(8, 3);
    std::string whole = contents(write_run(at("whole.db"), plan, 0, 1));
    write_run(at("a.db"), plan, 0, 3);
    write_run(at("b.db"), plan, 1, 3);
    write_run(at("c.db"), plan, 2, 3);
    ::setenv("ASSAY_TEST_MERGE", folder.path().c_str(), 1);
    std::string self = std::filesystem::read_symlink("/proc/self/exe"), tag = "[.merge-child]";
    char* argv[] = {self.data(), tag.data(), nullptr};
    auto start = [&] {
        pid_t pid = -1;
        REQUIRE(::posix_spawn(&pid, self.c_str(), nullptr, nullptr, argv, environ) == 0);
        return pid;
    };
    auto killed = [](pid_t pid) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        return WIFSIGNALED(status);
    };
    auto begin_anew = [&] {
        CHECK(contents(at("t.db")) == whole);
        for (const char* end : {"", "-wal", "-shm"})
            std::filesystem::remove(folder.path() / (std::string("t.db") + end));
    };
    auto began = std::chrono::steady_clock::now();
    REQUIRE_FALSE(killed(start()));
    auto takes = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - began);
    begin_anew();
    CounterRandom random("merge kills");
    int kills = 0;
    for (int i = 0; kills < 12 && i < 200; ++i) {
        pid_t pid = start();
        ::usleep(static_cast<useconds_t>(random.below(takes.count())));
        ::kill(pid, SIGKILL);
        if (!killed(pid)) { // it was quicker
            begin_anew();
            continue;
        }
        ++kills;
        if (std::filesystem::exists(at("t.db")))
            CHECK(Database(at("t.db"), Database::Mode::Write, "").text("PRAGMA integrity_check") ==
                  "ok");
    }
    ::unsetenv("ASSAY_TEST_MERGE");
    CHECK(kills == 12);
    merge_runs({at("a.db"), at("b.db"), at("c.db")}, at("t.db"));
    CHECK(contents(at("t.db")) == whole);
}
