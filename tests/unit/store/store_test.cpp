#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "catch.h"
#include "sample_plan.h"

#include <thread>

using namespace assay;

TEST_CASE("store: what is written is read back, all of it") {
    TempFolder folder;
    Path file = folder.path() / "a run?.db";
    ManualClock clock;
    PlanRecord plan = sample_plan();
    StoreOptions options{.clock = &clock};
    {
        auto store = RunStore::create(file, plan, options);
        CHECK(store->live_readers());
        store->environment(R"({"cores":2})");
        store->audit("me", "started", "to test");
        store->price("null", R"({"input":1})");
        store->connection_changed({7, "openai:m", 20, 16, "retry_after"});
        store->connection_changed({8, "openai:m", 16, 32, "success"});
        store->connection_changed({9, "openai:m", 32, 64, "success"});
        CHECK(store->open_slots().size() == 6);

        auto attempt = store->begin_try(plan.slots[1].id);
        CHECK(attempt->number() == 1);
        BlobRef text = store->blobs().put(std::string(1000, 'x'), "text/plain");
        BlobRef output = store->blobs().put("{}", "application/json");
        attempt->emit(EventKind::Note, R"({"text":"hello"})");
        clock.advance(std::chrono::seconds(1));
        attempt->emit(EventKind::Exec, "{}", {{"out", text}, {"err", output}});
        CallRecord call;
        call.role = "agent";
        call.turn = 4;
        call.parent = Id::derive("parent");
        call.added = {text, output};
        call.output = output;
        call.tools = text;
        call.raw_response = text;
        call.sampling = R"({"temperature":1})";
        call.model = "m";
        call.finish = "stop";
        call.usage = {10, 4, 5, 2, 0.25};
        call.prompt_ids = {1, -2, 3};
        call.completion_ids = {7};
        call.logprobs = {{7, -0.5F, {{7, -0.5F}, {8, -1.5F}}}, {9, -2.F, {}}};
        call.prefix_broken = 17;
        call.template_hash = sha256("template");
        call.seconds = 1.5;
        call.tries = 2;
        call.began = 5;
        attempt->call(call);
        CallRecord failed;
        failed.role = "judge";
        failed.finish = "error:overload";
        failed.error = text;
        attempt->call(failed);
        attempt->phase({"agent", 3, 1.25, 0.5, "done"});
        attempt->score({"example", "1", "reward", true, 1.0, text, R"(["base"])", R"({"a":1})",
                        sha256("seen")});
        attempt->score({"example", "1", "lines", false, 2.0, {}, "[]", "{}"});
        attempt->artifact("/logs/out.txt", text);
        attempt->measurement({"gemm", "s", {0.5, 0.25}, R"({"flags":"-O2"})"});
        TryEnd end = scored(1.0);
        end.error = ErrorRecord{"model", "late", "frame"};
        end.resources.cpu_seconds = 3;
        end.usage = call.usage;
        attempt->finish(end);
        CHECK(store->blobs().get(text) == std::string(1000, 'x'));
        CHECK_THROWS_AS(store->blobs().get(BlobRef{sha256("never"), 5, ""}), Error);
        CHECK_THROWS_AS(attempt->emit(EventKind::Note, "{}"), Error);
        CHECK_THROWS_AS(attempt->finish(scored(1)), Error);
        CHECK_THROWS_AS(store->begin_try(plan.slots[1].id), Error);
        CHECK(store->open_slots().size() == 5);
        store->finish_run("stopped");
    }
    auto reader = RunReader::open(file);
    CHECK(reader->plan().digest() == plan.digest());
    CHECK(reader->plan().seed == plan.seed);
    CHECK(reader->summary().status == "stopped");
    CHECK(reader->environments() == std::vector<std::string>{R"({"cores":2})"});
    REQUIRE(reader->audit().size() == 1);
    CHECK(reader->audit()[0].who == "me");
    CHECK(reader->audit()[0].what == "started");
    CHECK(reader->audit()[0].why == "to test");
    auto changes = reader->connection_changes();
    REQUIRE(changes.size() == 3);
    CHECK(changes[0].time == 7);
    CHECK(changes[0].before == 20);
    CHECK(changes[0].after == 16);
    CHECK(changes[0].cause == "retry_after");
    CHECK(connection_lines(changes) ==
          std::vector<std::string>{"openai:m: 20 calls at a time at first, 64 at last, 16 to 64 "
                                   "(changes: 1 retry_after, 2 success)"});
    auto tries = reader->tries();
    REQUIRE(tries.size() == 1);
    CHECK(reader->tries("task-1", 2).size() == 1);
    CHECK(reader->tries("task-1", 1).empty());
    CHECK(reader->tries("task-1", std::nullopt).size() == 1);
    const TryRow& row = tries[0];
    CHECK(row.task == "task-1");
    CHECK(row.attempt == 2);
    CHECK_FALSE(row.running);
    CHECK(row.end.attempt_class == AttemptClass::Scored);
    CHECK(row.end.score == 1.0);
    CHECK(row.end.error->trace == "frame");
    CHECK(row.end.resources.cpu_seconds == 3);
    CHECK(row.end.resources.pids_peak == -1);
    CHECK(row.end.usage.cost == 0.25);

    std::vector<EventRow> events;
    reader->events(row.row, [&](EventRow event) {
        events.push_back(std::move(event));
        return true;
    });
    REQUIRE(events.size() == 2);
    CHECK(events[0].json == R"({"text":"hello"})");
    CHECK(events[1].time - events[0].time == 1'000'000);
    REQUIRE(events[1].blobs.size() == 2);
    CHECK(events[1].blobs[0].first == "out");
    CHECK(reader->blob(events[1].blobs[0].second) == std::string(1000, 'x'));

    auto calls = reader->calls(row.row);
    REQUIRE(calls.size() == 2);
    REQUIRE(calls[1].error.has_value());
    CHECK(reader->blob(*calls[1].error) == std::string(1000, 'x'));
    CHECK(calls[1].finish == "error:overload");
    CHECK_FALSE(calls[0].error.has_value());
    CHECK(calls[0].id == call_id(row.id, "agent", 4));
    CHECK(calls[0].parent == Id::derive("parent"));
    CHECK(calls[0].added.size() == 2);
    CHECK(calls[0].tools.has_value());
    CHECK_FALSE(calls[0].raw_request.has_value());
    CHECK(calls[0].prompt_ids == std::vector<std::int32_t>{1, -2, 3});
    REQUIRE(calls[0].logprobs.size() == 2);
    CHECK(calls[0].logprobs[0].top[1] == std::pair<std::int32_t, float>(8, -1.5F));
    CHECK(calls[0].prefix_broken == 17);
    CHECK(calls[0].template_hash == sha256("template"));
    CHECK_FALSE(calls[1].template_hash.has_value());
    CHECK(calls[0].usage.cached_tokens == 4);
    CHECK(calls[0].tries == 2);

    CHECK(reader->phases(row.row).at(0).queue_seconds == 0.5);
    CHECK(reader->scores(row.row).at(0).explanation->size == 1000);
    CHECK(reader->scores(row.row).at(0).input_hash == sha256("seen"));
    CHECK_FALSE(reader->scores(row.row).at(1).input_hash.has_value());
    CHECK(reader->artifacts(row.row).at(0).path == "/logs/out.txt");
    CHECK(reader->measurements(row.row).at(0).samples == std::vector<double>{0.5, 0.25});
}

TEST_CASE("store: a retry is a second try, and one of them is accepted") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    PlanRecord plan = sample_plan();
    {
        auto store = RunStore::create(file, plan, {});
        auto first = store->begin_try(plan.slots[0].id);
        TryEnd lost;
        lost.error = ErrorRecord{"sandbox", "lost", ""};
        first->finish(lost);
        auto second = store->begin_try(plan.slots[0].id);
        CHECK(second->number() == 2);
        auto racing = store->begin_try(plan.slots[0].id);
        second->finish(scored(1));
        CHECK_THROWS_AS(racing->finish(scored(0)), Error); // refused, and the store lives on
        TryEnd cancelled;
        cancelled.attempt_class = AttemptClass::Cancelled;
        racing->finish(cancelled);
    }
    auto store = RunStore::open(file, {});
    CHECK(store->open_slots().size() == 5);
    auto tries = RunReader::open(file)->tries();
    REQUIRE(tries.size() == 3);
    CHECK(tries[0].end.attempt_class == AttemptClass::InfrastructureError);
    CHECK(tries[1].end.accepted);
    CHECK(tries[1].number == 2);
    CHECK(tries[2].end.attempt_class == AttemptClass::Cancelled);
}

TEST_CASE("store: a reader sees finished tries while the run is written, in a fixed snapshot") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    PlanRecord plan = sample_plan();
    auto store = RunStore::create(file, plan, {});
    store->begin_try(plan.slots[0].id)->finish(scored(1));
    auto running = store->begin_try(plan.slots[1].id);
    store->flush();
    auto reader = RunReader::open(file);
    CHECK(reader->summary().status == "running");
    REQUIRE(reader->tries().size() == 2);
    CHECK(reader->tries()[1].running);
    running->finish(scored(0));
    CHECK(reader->tries()[1].running);
    CHECK_FALSE(RunReader::open(file)->tries()[1].running);
}

TEST_CASE("store: a second writer is refused and says who writes") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    auto store = RunStore::create(file, sample_plan(), {});
    CHECK_THROWS_WITH(RunStore::open(file, {}),
                      Catch::Contains("process " + std::to_string(::getpid()) + " is writing it"));
    store.reset();
    CHECK_NOTHROW(RunStore::open(file, {}));
    CHECK_THROWS_WITH(RunStore::create(file, sample_plan(), {}), Catch::Contains("exists already"));
}

TEST_CASE("store: a try that its writer left open is closed at the next start") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    PlanRecord plan = sample_plan();
    {
        auto store = RunStore::create(file, plan, {});
        store->begin_try(plan.slots[0].id)->emit(EventKind::Note, R"({"text":"so far"})");
    }
    CHECK(RunReader::open(file)->summary().status == "interrupted");
    CHECK(RunReader::open(file)->tries().at(0).running);
    auto store = RunStore::open(file, {});
    CHECK(store->open_slots().size() == plan.slots.size());
    TryRow lost = RunReader::open(file)->tries().at(0);
    CHECK_FALSE(lost.running);
    CHECK(lost.end.attempt_class == AttemptClass::InfrastructureError);
    CHECK(lost.end.error->kind == "harness/interrupted");
    CHECK(store->begin_try(plan.slots[0].id)->number() == 2);
}

TEST_CASE("store: blobs of every size and kind come back, each stored once") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    auto store = RunStore::create(file, sample_plan(), {});
    std::vector<std::pair<BlobRef, std::string>> all;
    CounterRandom random("blobs");
    for (std::size_t size : {0, 1, 255, 256, 5000, 1 << 20, (8 << 20), (8 << 20) + 1, 20 << 20})
        for (bool noise : {false, true}) {
            std::string bytes(size, 'a');
            if (noise) random.fill(std::as_writable_bytes(std::span(bytes)));
            all.emplace_back(store->blobs().put(bytes, noise ? "image/png" : "text/plain"), bytes);
        }
    for (int again = 0; again < 2; ++again)
        for (const auto& [ref, bytes] : all) {
            CHECK((store->blobs().get(ref) == bytes));
            CHECK(store->blobs().put(bytes, ref.media_type).hash == ref.hash);
        }
    store->flush();
    auto reader = RunReader::open(file);
    for (const auto& [ref, bytes] : all) CHECK((reader->blob(ref) == bytes));
}

TEST_CASE("store: many threads write at once") {
    TempFolder folder;
    Path file = folder.path() / "run.db";
    PlanRecord plan = sample_plan(8, 1);
    auto store = RunStore::create(file, plan, {.durable = false});
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            auto attempt = store->begin_try(plan.slots[static_cast<std::size_t>(t)].id);
            for (int i = 0; i < 500; ++i) {
                std::string text = std::to_string(t) + "/" + std::to_string(i);
                BlobRef own = store->blobs().put(text, "text/plain");
                BlobRef shared = store->blobs().put(std::to_string(i), "text/plain");
                attempt->emit(EventKind::Note, text, {{"own", own}, {"shared", shared}});
            }
            attempt->finish(scored(1));
        });
    for (std::thread& thread : threads) thread.join();
    auto reader = RunReader::open(file);
    for (const TryRow& row : reader->tries()) {
        int i = 0;
        std::string task = std::to_string(row.task.back() - '1');
        reader->events(row.row, [&](const EventRow& event) {
            CHECK(event.json == task + "/" + std::to_string(i));
            CHECK(reader->blob(event.blobs.at(0).second) == event.json);
            CHECK(reader->blob(event.blobs.at(1).second) == std::to_string(i));
            ++i;
            return true;
        });
        CHECK(i == 500);
    }
}
