// What people see who open a run with sqlite3.
#include "assay/base/fs.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "catch.h"
#include "sample_plan.h"
#include "sqlite.h"

using namespace assay;

namespace {

// task-1: 1 and 0; task-2: 1, and an infrastructure error; task-3: nothing yet.
Path sample_run(const Path& file) {
    PlanRecord plan = sample_plan(3, 2);
    auto store = RunStore::create(file, plan, {});
    store->begin_try(plan.slots[0].id)->finish(scored(1));
    store->begin_try(plan.slots[1].id)->finish(scored(0));
    store->begin_try(plan.slots[2].id)->finish(scored(1));
    for (int i = 0; i < 2; ++i) {
        auto lost = store->begin_try(plan.slots[3].id);
        lost->emit(EventKind::Error, R"({"kind":"sandbox"})");
        TryEnd end;
        end.error = ErrorRecord{"sandbox", "lost " + std::to_string(i), ""};
        lost->finish(end);
    }
    return file;
}

std::string line(Database& db, const std::string& sql) {
    Statement row(db, sql);
    std::string out;
    while (row.step()) {
        if (!out.empty()) out += "; ";
        out += row.text(0);
    }
    return out;
}

} // namespace

TEST_CASE("store views: the leaderboard counts what has a result and what has not") {
    TempFolder folder;
    Database db(sample_run(folder.path() / "run.db"), Database::Mode::Read, "");
    CHECK(line(db, "SELECT arm || '|' || tasks || '|' || attempts || '|' || score || '|' || "
                   "infrastructure_errors || '|' || verifier_errors || '|' || open "
                   "FROM v_leaderboard") == "tools@null|3|3|0.75|1|0|3");
    CHECK(line(db, "SELECT task || '#' || attempt || '=' || coalesce(class, '-') || "
                   "coalesce(' ' || score, '') || coalesce(' ' || error_message, '') "
                   "FROM v_attempt") ==
          "task-1#1=scored 1.0; task-1#2=scored 0.0; task-2#1=scored 1.0; "
          "task-2#2=infrastructure_error lost 1; task-3#1=-; task-3#2=-");
    CHECK(line(db, "SELECT task || '#' || attempt || '/' || try || ' ' || kind || ' ' || json "
                   "FROM v_event WHERE time LIKE '20%Z' ORDER BY try") ==
          R"(task-2#2/1 error {"kind":"sandbox"}; task-2#2/2 error {"kind":"sandbox"})");
}

TEST_CASE("store views: an event names the event that opened its span, which came before it") {
    TempFolder folder;
    PlanRecord plan = sample_plan(1, 1);
    Path file = folder.path() / "run.db";
    {
        auto store = RunStore::create(file, plan, {});
        auto attempt = store->begin_try(plan.slots[0].id);
        {
            Span phase(*attempt, EventKind::PhaseBegin, "{}");
            attempt->begin_turn(EventKind::Model, "{}");
            attempt->call({}); // rows of other tables share the numbers
            Span tool(*attempt, EventKind::ToolCall, "{}");
            tool.end(EventKind::ToolResult, "{}");
        }
        attempt->emit(EventKind::Note, "{}");
        attempt->finish(scored(1));
    }
    {
        auto reader = RunReader::open(file);
        std::string depths;
        reader->events(1, [&](const EventRow& event) {
            depths += std::to_string(event.depth);
            return true;
        });
        CHECK(depths == "01230");
    }
    Database db(file, Database::Mode::Write, "");
    CHECK(line(db, "SELECT seq || ' ' || kind || coalesce(' in ' || span, '') FROM v_event") ==
          "0 phase_begin; 1 model in 0; 3 tool_call in 1; 4 tool_result in 3; 5 note");
    CHECK_THROWS_WITH(db.execute("UPDATE event SET span = seq"), Catch::Contains("CHECK"));
}

TEST_CASE("store views: kinds of events are named as in the program") {
    TempFolder folder;
    Database db(sample_run(folder.path() / "run.db"), Database::Mode::Read, "");
    Statement row(db, "SELECT kind, name FROM event_kind");
    int kinds = 0;
    for (; row.step(); ++kinds)
        CHECK(row.text(1) == to_string(static_cast<EventKind>(row.integer(0))));
    CHECK(kinds == static_cast<int>(EventKind::Retry));
    // The one after the last has no name of its own: a kind that is added must be added there.
    CHECK(to_string(static_cast<EventKind>(kinds + 1)) == "note");
}

TEST_CASE("store views: docs/store.md names every table and view") {
    TempFolder folder;
    RealFileSystem files;
    std::string doc = files.read(ASSAY_SOURCE_DIR "/docs/store.md", 1u << 20);
    Database db(sample_run(folder.path() / "run.db"), Database::Mode::Read, "");
    Statement tables(db, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
    while (tables.step()) {
        CAPTURE(tables.text(0));
        CHECK(doc.find("`" + tables.text(0) + "`") != std::string::npos);
    }
}
