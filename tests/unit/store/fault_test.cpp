// What is left after a full disk, an I/O error or a kill at any moment: a file that opens, in which
// every attempt whose finish() returned is there once.
#include "assay/base/error.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "catch.h"
#include "fault_vfs.h"
#include "sample_plan.h"
#include "sqlite.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <set>

using namespace assay;

namespace {

void run_slot(RunStore& store, const SlotRecord& slot) {
    auto attempt = store.begin_try(slot.id);
    for (int i = 0; i < 4; ++i) {
        std::string text = slot.task + "/" + std::to_string(slot.attempt) + "/" + std::to_string(i);
        attempt->emit(EventKind::Note, "{}",
                      {{"out", store.blobs().put(text + std::string(4000, 'x'), "text/plain")}});
    }
    attempt->score({"s", "1", "reward", true, 1, {}, "[]", "{}"});
    attempt->finish(scored(1));
}

// Runs what is open; the orders of the slots whose finish() returned go into `finished`.
void run_all(const Path& file, const StoreOptions& options, std::set<std::int64_t>& finished) {
    RealFileSystem files;
    auto store = files.exists(file) ? RunStore::open(file, options)
                                    : RunStore::create(file, sample_plan(), options);
    for (const SlotRecord& slot : store->open_slots()) {
        run_slot(*store, slot);
        finished.insert(slot.order);
    }
    store->finish_run("complete");
}

// Whole, and with each finished attempt exactly once; what is accepted has all of its rows.
void check_file(const Path& file, const std::set<std::int64_t>& finished) {
    CHECK(Database(file, Database::Mode::Write, "").text("PRAGMA integrity_check") == "ok");
    auto reader = RunReader::open(file);
    std::multiset<std::int64_t> accepted;
    for (const TryRow& row : reader->tries()) {
        if (!row.end.accepted) continue;
        for (const SlotRecord& slot : reader->plan().slots)
            if (slot.id == row.slot) accepted.insert(slot.order);
        int events = 0;
        reader->events(row.row, [&](const EventRow& event) {
            CHECK(reader->blob(event.blobs.at(0).second).size() > 4000);
            ++events;
            return true;
        });
        CHECK(events == 4);
        CHECK(reader->scores(row.row).size() == 1);
    }
    for (std::int64_t order : finished) CHECK(accepted.count(order) == 1);
    for (std::int64_t order : accepted) CHECK(accepted.count(order) == 1);
}

void try_every_fault(Journal journal, Fault fault, int step) {
    int faults = 0;
    for (int n = 0;; n += step) {
        TempFolder folder;
        Path file = folder.path() / "run.db";
        std::set<std::int64_t> finished;
        StoreOptions options{.journal = journal, .vfs = fault_vfs()};
        fault_plan().reset(n, fault);
        bool failed = false;
        try {
            run_all(file, options, finished);
        } catch (const Error& e) {
            failed = true;
            CAPTURE(e.message());
            CHECK(e.kind() == ErrorKind::Io);
            if (fault == Fault::Full) CHECK_THAT(e.message(), Catch::Contains("no space is left"));
        }
        int operations = fault_plan().operations;
        fault_plan().reset(-1, fault);
        CAPTURE(n, finished.size());
        if (std::filesystem::exists(file)) check_file(file, finished);
        // Once there is space again, the rest.
        run_all(file, {.durable = false, .vfs = fault_vfs()}, finished);
        CHECK(RunStore::open(file, {.vfs = fault_vfs()})->open_slots().empty());
        check_file(file, finished);
        if (!failed && operations <= n) break; // the fault lay beyond the end
        ++faults;
    }
    CHECK(faults > 10);
}

} // namespace

TEST_CASE("store faults: a disk that is full from the n-th write on") {
    try_every_fault(Journal::Auto, Fault::Full, 2);
}
TEST_CASE("store faults: I/O errors from the n-th write on") {
    try_every_fault(Journal::Auto, Fault::Io, 3);
}
TEST_CASE("store faults: the same with a rollback journal") {
    try_every_fault(Journal::Rollback, Fault::Full, 5);
}

TEST_CASE("store faults: a failed store refuses everything, with the first error") {
    TempFolder folder;
    auto store = RunStore::create(folder.path() / "run.db", sample_plan(), {.vfs = fault_vfs()});
    auto attempt = store->begin_try(store->plan().slots[0].id);
    store->flush();
    fault_plan().reset(0, Fault::Full);
    CHECK_THROWS_AS(attempt->finish(scored(1)), Error);
    fault_plan().reset(-1, Fault::Full); // space again: it must not go on past the hole
    for (int i = 0; i < 2; ++i) {
        CHECK_THROWS_WITH(store->blobs().put("x", "text/plain"), Catch::Contains("no space"));
        CHECK_THROWS_WITH(store->begin_try(store->plan().slots[1].id), Catch::Contains("no space"));
        CHECK_THROWS_WITH(store->flush(), Catch::Contains("no space"));
        CHECK_THROWS_WITH(store->blobs().get(BlobRef{}), Catch::Contains("no space"));
    }
    attempt.reset();
    store.reset();
    CHECK(RunStore::open(folder.path() / "run.db", {})->open_slots().size() == 6);
}

TEST_CASE(
    "store faults: when finish() returns, all is synced; a plain flush of events need not be") {
    TempFolder folder;
    fault_plan().reset(-1, Fault::Io);
    auto store = RunStore::create(folder.path() / "run.db", sample_plan(), {.vfs = fault_vfs()});
    for (const SlotRecord& slot : store->plan().slots) {
        auto attempt = store->begin_try(slot.id);
        attempt->emit(EventKind::Note, "{}");
        // Committed soon, without a sync: so the count below can be other than 0.
        store->blobs().get(store->blobs().put(slot.task + slot.id.hex(), "text/plain"));
        bool seen = false; // once is enough: SQLite may sync its log's header right after
        for (int i = 0; i < 1000 && !seen; ++i) {
            seen = fault_plan().unsynced > 0;
            ::usleep(1000);
        }
        CHECK(seen);
        attempt->finish(scored(1));
        CHECK(fault_plan().unsynced == 0);
    }
}

// The program that is killed: this one, told so by an environment variable.
TEST_CASE("store faults: child", "[.child]") {
    const char* file = std::getenv("ASSAY_TEST_STORE");
    if (file == nullptr) return;
    auto store = std::filesystem::exists(file) ? RunStore::open(file, {})
                                               : RunStore::create(file, sample_plan(250, 4), {});
    for (const SlotRecord& slot : store->open_slots()) {
        run_slot(*store, slot);
        std::string line = "finished " + std::to_string(slot.order) + "\n";
        if (::write(1, line.data(), line.size()) < 0) return;
    }
    if (::write(1, "all\n", 4) < 0) return;
}

namespace {

struct Child {
    pid_t pid = -1;
    int out = -1;
};

Child start_child(const Path& file) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    std::string variable = "ASSAY_TEST_STORE=" + file.string();
    std::vector<char*> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    environment.push_back(variable.data());
    environment.push_back(nullptr);
    std::string self = std::filesystem::read_symlink("/proc/self/exe");
    std::string tag = "[.child]";
    char* argv[] = {self.data(), tag.data(), nullptr};
    Child child;
    REQUIRE(::posix_spawn(&child.pid, self.c_str(), &actions, nullptr, argv, environment.data()) ==
            0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    child.out = ends[0];
    return child;
}

// Reads until `limit` lines or the end, or until it has waited `milliseconds` after the last line.
void read_lines(int fd, std::string& text, int limit, int milliseconds) {
    char buffer[4096];
    while (std::count(text.begin(), text.end(), '\n') < limit) {
        pollfd entry{fd, POLLIN, 0};
        if (::poll(&entry, 1, milliseconds) <= 0) return;
        ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n <= 0) return;
        text.append(buffer, static_cast<std::size_t>(n));
    }
}

} // namespace

TEST_CASE("store faults: killed at random moments, it loses and repeats nothing") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    CounterRandom random("kills");
    std::set<std::int64_t> finished;
    int kills = 0;
    for (bool all = false; !all;) {
        Child child = start_child(file);
        std::string text;
        if (kills < 20) {
            // Sometimes before the first line, sometimes some lines and microseconds later.
            read_lines(child.out, text, static_cast<int>(random.below(4)), 20'000);
            ::usleep(static_cast<useconds_t>(random.below(8000)));
            ::kill(child.pid, SIGKILL);
            ++kills;
        }
        read_lines(child.out, text, 1 << 20, 20'000);
        ::close(child.out);
        int status = 0;
        ::waitpid(child.pid, &status, 0);
        for (std::size_t at = text.find("finished "); at != std::string::npos;
             at = text.find("finished ", at + 1))
            finished.insert(std::atoll(text.c_str() + at + 9));
        all = text.find("all\n") != std::string::npos;
        if (std::filesystem::exists(file)) check_file(file, finished);
        REQUIRE((all || WIFSIGNALED(status)));
    }
    CHECK(kills == 20);
    CHECK(RunStore::open(file, {})->open_slots().empty());
    check_file(file, finished);
}
