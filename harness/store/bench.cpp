#include "assay/store/bench.h"

#include "assay/base/fd.h"
#include "assay/base/random.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <numeric>

namespace assay {

namespace {

double timed(const std::function<void()>& work) {
    auto began = std::chrono::steady_clock::now();
    work();
    return seconds(std::chrono::steady_clock::now() - began);
}

// Text like a build log: words at random, so that it packs about as well as real output does.
std::string log_text(std::size_t size, std::uint64_t seed) {
    static constexpr std::string_view kWords[] = {
        "error",   "warning",  "src/main.cpp", "in",        "function",   "note",
        "include", "make[2]:", "Entering",     "directory", "/app/build", "test",
        "passed",  "failed",   "0.013s",       "undefined"};
    CounterRandom random(seed);
    std::string out;
    while (out.size() < size) {
        std::uint64_t bits = random.next();
        for (int i = 0; i < 4; ++i, bits >>= 4) out.append(kWords[bits & 15]).append(" ");
        out += fmt::format("{:08x}\n", bits & 0xffffffff);
    }
    out.resize(size);
    return out;
}

PlanRecord plan_of(int slots) {
    PlanRecord plan;
    plan.run = Id::derive("bench");
    plan.suite = "bench";
    plan.arms = {{arm_id(plan.run, "bench"), "bench", "bench", "1", "", "", "{}"}};
    for (int i = 0; i < slots; ++i) {
        std::string task = "task-" + std::to_string(i);
        plan.slots.push_back(
            {slot_id(plan.run, task, "bench", 1), plan.arms[0].id, task, task, "", 1, i});
    }
    return plan;
}

TryEnd end_of_try() {
    TryEnd end;
    end.agent = AgentEnd::Done;
    end.verify = VerifyEnd::Done;
    end.attempt_class = AttemptClass::Scored;
    end.score = 1;
    end.accepted = true;
    return end;
}

struct Item {
    std::string json, blob;
};

std::vector<Item> items_of(int count) {
    std::vector<Item> out;
    for (int i = 0; i < count; ++i) {
        auto seed = static_cast<std::uint64_t>(i);
        std::string text = log_text(960, seed * 2 + 1);
        std::replace(text.begin(), text.end(), '\n', ' ');
        out.push_back({fmt::format(R"({{"argv":["make","{}"],"text":"{}"}})", i, text),
                       log_text(5120, seed * 2)});
    }
    return out;
}

// The same bytes into two columns: no hash, no packing, no references.
double raw_inserts(const Path& file, const std::vector<Item>& items) {
    Database db(file, Database::Mode::Create, "");
    db.execute("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
               "CREATE TABLE t(i INTEGER PRIMARY KEY, json TEXT, blob BLOB)");
    Statement insert(db, "INSERT INTO t(json, blob) VALUES(?,?)");
    return timed([&] {
        for (std::size_t i = 0; i < items.size();) {
            Transaction transaction(db);
            for (std::size_t end = std::min(items.size(), i + 256); i < end; ++i)
                insert.bind(1, items[i].json).bind_blob(2, items[i].blob).run();
            transaction.commit();
        }
    });
}

// The same bytes one after the other, and one sync.
double plain_file(const Path& file, const std::vector<Item>& items) {
    UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) throw io_error("create " + file.string(), errno);
    return timed([&] {
        for (const Item& item : items)
            for (const std::string* part : {&item.json, &item.blob})
                if (::write(fd.get(), part->data(), part->size()) < 0)
                    throw io_error("write " + file.string(), errno);
        if (::fsync(fd.get()) != 0) throw io_error("sync " + file.string(), errno);
    });
}

// Rows of a few hundred items, again and again under new names, so that memory stays small while
// every blob is distinct.
constexpr int kDistinct = 2000;

void vary(Item& item, int round) {
    std::string mark = fmt::format("{:08d}", round);
    std::copy(mark.begin(), mark.end(), item.blob.begin());
}

StoreBenchRow row(std::string name, double value, std::string unit, std::string yardstick,
                  double yardstick_value) {
    return {std::move(name),      value,           std::move(unit),
            std::move(yardstick), yardstick_value, value / yardstick_value};
}

void bench_events(const Path& folder, int count, std::vector<StoreBenchRow>& out) {
    std::vector<Item> items = items_of(std::min(count, kDistinct));
    int rounds = std::max(1, count / static_cast<int>(items.size()));
    PlanRecord plan = plan_of(1);
    Path file = folder / "events.db";
    std::vector<double> per_round;
    double total = 0;
    {
        auto store = RunStore::create(file, plan, {});
        auto attempt = store->begin_try(plan.slots[0].id);
        for (int round = 0; round < rounds; ++round) {
            for (Item& item : items) vary(item, round);
            per_round.push_back(timed([&] {
                for (const Item& item : items)
                    attempt->emit(EventKind::Exec, item.json,
                                  {{"out", store->blobs().put(item.blob, "text/plain")}});
                if (round == rounds - 1) store->flush();
            }));
            total += per_round.back();
        }
        attempt->finish(end_of_try());
    }
    double written = static_cast<double>(items.size()) * rounds;
    double raw = raw_inserts(folder / "raw.db", items) * rounds;
    out.push_back(row("events of 1 KiB and a distinct blob of 5 KiB", written / total, "1/s",
                      "the same bytes into one table, no hash, not packed", written / raw));
    double plain = plain_file(folder / "plain.bin", items) * rounds;
    out.push_back(row("the same events", written / total, "1/s",
                      "the same bytes to a plain file, one fsync", written / plain));
    auto tenth = static_cast<std::ptrdiff_t>(std::max<std::size_t>(1, per_round.size() / 10));
    auto sum = [](auto from, auto to) { return std::accumulate(from, to, 0.0); };
    double chunk = static_cast<double>(items.size()) * static_cast<double>(tenth);
    out.push_back(
        row("the last tenth of them", chunk / sum(per_round.end() - tenth, per_round.end()), "1/s",
            "the first tenth", chunk / sum(per_round.begin(), per_round.begin() + tenth)));
    auto reader = RunReader::open(file);
    std::uint64_t seen = 0;
    double reading = timed([&] {
        reader->events(reader->tries().at(0).row, [&](const EventRow& event) {
            seen += reader->blob(event.blobs.at(0).second).empty() ? 0 : 1;
            return true;
        });
    });
    out.push_back(row("events read with their blobs", static_cast<double>(seen) / reading, "1/s",
                      "events written", written / total));
}

void one_turn(TryWriter& attempt, BlobStore& blobs, int i) {
    std::string n = std::to_string(i);
    CallRecord call;
    call.role = "agent";
    call.turn = i;
    call.added = {
        blobs.put(R"({"role":"assistant","parts":[{"text":"I look at file )" + n + "\"}]}",
                  "application/json"),
        blobs.put(R"({"role":"tool","parts":[{"tool_result":{"call_id":"c)" + n +
                      R"(","text":"total 12\ndrwxr-xr-x 2 root root 4096\n"}}]})",
                  "application/json")};
    call.output = blobs.put(R"({"role":"assistant","parts":[{"tool_call":{"id":"c)" + n +
                                R"(","name":"shell","arguments":"{\"command\":\"ls -l\"}"}}]})",
                            "application/json");
    call.model = "null";
    call.finish = "tool_calls";
    call.usage = {1000, 900, 30, 0, 0.001};
    attempt.call(std::move(call));
    attempt.begin_turn(EventKind::Model,
                       R"({"role":"agent","finish":"tool_calls","prompt_tokens":1000,"turn":)" + n +
                           "}");
    Span tool(attempt, EventKind::ToolCall, R"({"id":"c)" + n + R"(","name":"shell"})",
              {{"arguments", blobs.put(R"({"command":"ls -l )" + n + "\"}", "application/json")}});
    attempt.emit(
        EventKind::Exec, R"({"argv":["ls","-l"],"code":0,"seconds":0.001})",
        {{"out", blobs.put("total " + n + "\ndrwxr-xr-x 2 root root 4096 .\n", "text/plain")},
         {"err", blobs.put("", "text/plain")}});
}

constexpr int kTurnsATry = 50;

// As many rows and bytes as turns write, into one table without an index.
double raw_rows(const Path& file, int turns) {
    Database db(file, Database::Mode::Create, "");
    db.execute("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
               "CREATE TABLE t(i INTEGER PRIMARY KEY, text TEXT)");
    Statement insert(db, "INSERT INTO t(text) VALUES(?)");
    constexpr int kRows = 15; // 1 call, 3 events, 5 new blobs, 6 references
    std::string text(64, 'x');
    return timed([&] {
        for (int i = 0; i < turns; i += 17) {
            Transaction transaction(db);
            for (int r = 0; r < 17 * kRows; ++r) insert.bind(1, text).run();
            transaction.commit();
        }
    });
}

void bench_turns(const Path& folder, int count, std::vector<StoreBenchRow>& out) {
    PlanRecord plan = plan_of(count / kTurnsATry + 1);
    auto store = RunStore::create(folder / "turns.db", plan, {});
    double took = timed([&] {
        std::unique_ptr<TryWriter> attempt;
        for (int i = 0; i < count; ++i) {
            if (i % kTurnsATry == 0)
                attempt = store->begin_try(plan.slots[static_cast<std::size_t>(i / kTurnsATry)].id);
            one_turn(*attempt, store->blobs(), i);
        }
        store->flush();
    });
    double raw = raw_rows(folder / "rows.db", count);
    out.push_back(row("turns: a call with two messages, three events, five new blobs", count / took,
                      "1/s", "15 rows of 64 bytes into one table a turn", count / raw));
}

double write_and_sync(const Path& file, int count) {
    UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) throw io_error("create " + file.string(), errno);
    std::string page(8192, 'x');
    return timed([&] {
        for (int i = 0; i < count; ++i)
            if (::write(fd.get(), page.data(), page.size()) < 0 || ::fdatasync(fd.get()) != 0)
                throw io_error("write " + file.string(), errno);
    });
}

void bench_finish(const Path& folder, int count, std::vector<StoreBenchRow>& out) {
    PlanRecord plan = plan_of(count);
    auto store = RunStore::create(folder / "finish.db", plan, {});
    double took = timed([&] {
        for (const SlotRecord& slot : plan.slots) store->begin_try(slot.id)->finish(end_of_try());
    });
    double raw = write_and_sync(folder / "sync.bin", count);
    out.push_back(row("a try begun and durably finished", took / count * 1e3, "ms",
                      "8 KiB appended to a file and synced", raw / count * 1e3));
}

} // namespace

std::vector<StoreBenchRow> bench_store(const Path& folder, const StoreBenchOptions& options) {
    RealFileSystem files;
    Path scratch = folder / fmt::format("assay-bench-store.{}", ::getpid());
    files.make_folders(scratch);
    std::vector<StoreBenchRow> out;
    try {
        bench_events(scratch, options.events, out);
        bench_turns(scratch, options.turns, out);
        bench_finish(scratch, options.finishes, out);
    } catch (...) {
        files.remove_all(scratch);
        throw;
    }
    files.remove_all(scratch);
    return out;
}

} // namespace assay
