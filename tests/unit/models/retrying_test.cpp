#include "assay/base/log.h"
#include "assay/models/prices.h"
#include "assay/models/retrying.h"
#include "catch.h"
#include "fake_trial.h"

#include <fmt/format.h>

#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

struct Retrying {
    explicit Retrying(RetryPolicy policy = {})
        : fake(std::make_shared<FakeModel>())
        , limit(std::make_shared<ConnectionLimit>(ConnectionSettings{}, clock))
        , model(fake, limit, policy, clock, [this](Nanoseconds time, const Cancel& stop) {
            waits.push_back(seconds(time));
            clock.advance(time);
            return !stop.cancelled();
        }) {
        request.seed.task = "t";
        request.events = &sink;
    }
    Completion ask() { return model.complete(request, {}, cancel); }

    ManualClock clock;
    FakeSink sink;
    std::shared_ptr<FakeModel> fake;
    std::shared_ptr<ConnectionLimit> limit;
    std::vector<double> waits;
    RetryingModel model;
    CompletionRequest request;
    Cancel cancel;
};

} // namespace

TEST_CASE("retry: transient faults are tried again, with growing waits and an event each") {
    Retrying r;
    r.fake->fail(ModelFault::Retry, "stream broke")
        .fail(ModelFault::Timeout)
        .fail(ModelFault::Overload)
        .say("ok");
    Completion c = r.ask();
    CHECK(c.message.text() == "ok");
    CHECK(c.tries == 4);
    REQUIRE(r.waits.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(r.waits[i] >= 0.5 * static_cast<double>(1 << i));
        CHECK(r.waits[i] <= 1.0 * static_cast<double>(1 << i));
    }
    CHECK(c.queue_seconds == Approx(r.waits[0] + r.waits[1] + r.waits[2]));
    CHECK(r.sink.count(EventKind::Retry) == 3);
    CHECK(r.sink.has(EventKind::Retry, "stream broke"));
    CHECK(r.limit->in_flight() == 0);
}

TEST_CASE("retry: the first one of a model is a warning, the others are not") {
    std::vector<std::string> warnings;
    set_log_sink([&](const LogRecord& record) {
        if (record.level == LogLevel::Warning) warnings.emplace_back(record.message);
    });
    Retrying r;
    for (int call = 0; call < 2; ++call) {
        r.fake->fail(ModelFault::Retry, "Connection refused").fail(ModelFault::Timeout).say("ok");
        r.ask();
    }
    set_log_sink({});
    CHECK(warnings == std::vector<std::string>{"model " + r.model.name() +
                                               ": Connection refused; tried again, up to 7 times"});
}

TEST_CASE("retry: what a retry will not mend is thrown at once") {
    for (ModelFault fault : {ModelFault::ContextOverflow, ModelFault::BadRequest, ModelFault::Auth,
                             ModelFault::NotFound, ModelFault::Refused, ModelFault::Fatal}) {
        Retrying r;
        r.fake->fail(fault).say("never");
        REQUIRE_THROWS_AS(r.ask(), ModelError);
        CHECK(r.fake->requests.size() == 1);
        CHECK(r.waits.empty());
    }
}

TEST_CASE("retry: Retry-After is the least wait, and too long a one is refused") {
    Retrying r;
    r.fake->fail(ModelFault::Overload, "429", 30.0).say("ok");
    r.ask();
    CHECK(r.waits.at(0) >= 30.0);
    CHECK(r.waits.at(0) < 31.0);
    r.fake->fail(ModelFault::Overload, "429", 3600.0).say("never");
    REQUIRE_THROWS_WITH(r.ask(), Catch::Contains("3600"));
}

TEST_CASE("retry: gives up after the last try, naming how many") {
    Retrying r(RetryPolicy{3, 1s, 60s, 600s});
    r.fake->otherwise = [](const CompletionRequest&) -> Completion {
        throw ModelError(ModelFault::Retry, "no luck");
    };
    try {
        r.ask();
        FAIL("no error");
    } catch (const ModelError& e) {
        CHECK(e.message() == "no luck (given up after 3 tries)");
        CHECK(e.tries() == 3);
        CHECK(e.queue_seconds() == Approx(r.waits[0] + r.waits[1]));
    }
    CHECK(r.fake->requests.size() == 3);
}

TEST_CASE("retry: the jitter is a function of the seed key") {
    SeedKey a, b;
    a.task = "a";
    b.task = "b";
    CHECK(retry_wait({}, a, 3, {}) == retry_wait({}, a, 3, {}));
    CHECK(retry_wait({}, a, 3, {}) != retry_wait({}, b, 3, {}));
    CHECK(retry_wait({}, a, 60, {}) <= 60);
}

TEST_CASE("retry: a cancel ends the wait with its own cause") {
    Retrying r;
    r.fake->fail(ModelFault::Overload).say("never");
    RetryingModel model(r.fake, r.limit, {}, r.clock, [](Nanoseconds, const Cancel& cancel) {
        cancel.cancel(Cause::User);
        return false;
    });
    REQUIRE_THROWS_AS(model.complete(r.request, {}, r.cancel), Interrupted);
    CHECK(r.limit->in_flight() == 0);
}

namespace {

// Hangs in its first calls, as a server that never answers does.
class HangingModel final : public Model {
  public:
    explicit HangingModel(int hanging)
        : hanging_(hanging) {}
    std::string name() const override { return "hanging"; }
    ModelCapabilities capabilities() const override { return {}; }
    std::string connection_key() const override { return "hanging"; }
    Completion complete(const CompletionRequest&, const DeltaSink&, const Cancel& cancel) override {
        if (hanging_-- > 0) cancel.sleep_for(60s);
        cancel.check();
        return {};
    }

  private:
    int hanging_;
};

} // namespace

TEST_CASE("retry: try_limit bounds one try, and reaching it is a time-out that is tried again") {
    SystemClock clock;
    FakeSink sink;
    RetryingModel model(std::make_shared<HangingModel>(1), nullptr, {}, clock,
                        [](Nanoseconds, const Cancel&) { return true; });
    CompletionRequest request;
    request.events = &sink;
    request.try_limit = 20ms;
    CHECK(model.complete(request, {}, Cancel()).tries == 2);
    CHECK(sink.has(EventKind::Retry, R"("fault":"timeout")"));
    CHECK(sink.has(EventKind::Retry, "no answer within 0.02 s"));

    RetryingModel hangs(std::make_shared<HangingModel>(1), nullptr, {}, clock);
    Cancel stopped;
    stopped.cancel(Cause::User); // what ends the call for another reason keeps that reason
    CHECK_THROWS_AS(hangs.complete(request, {}, stopped), Interrupted);
}

TEST_CASE("retry: waiting for a place or a Retry-After is not of the try") {
    SystemClock clock;
    auto limit = std::make_shared<ConnectionLimit>(ConnectionSettings{1, 1, 1, false, 15s}, clock);
    auto fake = std::make_shared<FakeModel>();
    fake->fail(ModelFault::Overload).say("ok");
    RetryingModel model(fake, limit, {}, clock, [](Nanoseconds, const Cancel& cancel) {
        return cancel.sleep_for(300ms); // longer than a try may take
    });
    CompletionRequest request;
    request.try_limit = 200ms;
    ConnectionLimit::Slot taken = limit->acquire(Cancel());
    Completion completion;
    std::jthread caller([&] { completion = model.complete(request, {}, Cancel()); });
    while (limit->waiting() != 1) std::this_thread::yield();
    std::this_thread::sleep_for(300ms);
    taken = {};
    caller.join();
    CHECK(completion.message.text() == "ok");
    CHECK(completion.tries == 2); // only the overload's
}

TEST_CASE("retry: who asks is told when a call begins to wait and when it goes on") {
    Retrying f;
    f.fake->fail(ModelFault::Retry).say("yes");
    std::string told;
    f.request.waiting = [&](bool begins) { told += begins ? "(" : ")"; };
    f.ask();
    CHECK(told == "()()()"); // for a place, between the tries, for a place
}

TEST_CASE("limit: doubles per clean round, is cut by an overload, recovers") {
    ManualClock clock;
    std::vector<ConnectionLimit::Change> changes;
    ConnectionLimit limit(
        {4, 1, 100, true, 15s}, clock,
        [&](const ConnectionLimit::Change& change) { changes.push_back(change); });
    // A round: the limit is used in full and all calls succeed, or one finds the server overloaded.
    auto round = [&](bool overload) {
        std::vector<ConnectionLimit::Slot> slots;
        int n = limit.limit();
        for (int i = 0; i < n; ++i) slots.push_back(limit.acquire(Cancel()));
        for (auto& slot : slots) overload ? slot.overloaded() : slot.succeeded();
    };
    round(false);
    CHECK(limit.limit() == 8);
    round(false);
    CHECK(limit.limit() == 16);
    round(true); // sixteen calls report the one overload: one cut
    CHECK(limit.limit() == 12);
    round(true); // within the cool-down
    CHECK(limit.limit() == 12);
    round(false); // successes in the cool-down do not raise it either
    CHECK(limit.limit() == 12);
    clock.advance(16s);
    round(false); // + 5 %, at least one
    CHECK(limit.limit() == 13);
    round(false);
    CHECK(limit.limit() == 14);
    for (int i = 0; i < 200; ++i) round(false);
    CHECK(limit.limit() == 100); // it does not stay stuck below the ceiling
    for (int i = 0; i < 200; ++i) {
        round(true);
        clock.advance(16s);
    }
    CHECK(limit.limit() == 1); // nor below the floor
    round(false);
    CHECK(limit.limit() == 2);
    CHECK(limit.in_flight() == 0);
    // Each change was told, once, and continues the one before.
    REQUIRE(changes.size() > 20);
    CHECK(changes.front().before == 4);
    CHECK(changes.back().after == 2);
    for (std::size_t i = 1; i < changes.size(); ++i) {
        CHECK(changes[i].before == changes[i - 1].after);
        CHECK(changes[i].before != changes[i].after);
        CHECK(changes[i].wall_microseconds >= changes[i - 1].wall_microseconds);
        CHECK((changes[i].after > changes[i].before) == (changes[i].cause == "success"));
    }
}

TEST_CASE("limit: grows only where it held calls back") {
    ManualClock clock;
    ConnectionLimit limit({4, 1, 100, true, 15s}, clock);
    for (int i = 0; i < 100; ++i) limit.acquire(Cancel()).succeeded();
    CHECK(limit.limit() == 4);
    ConnectionLimit fixed({4, 1, 100, false, 15s}, clock);
    for (int i = 0; i < 10; ++i) {
        std::vector<ConnectionLimit::Slot> slots;
        for (int k = 0; k < 4; ++k) slots.push_back(fixed.acquire(Cancel()));
        for (auto& slot : slots) slot.succeeded();
    }
    CHECK(fixed.limit() == 4);
    CHECK(ConnectionLimit({500, 1, 100, false, 15s}, clock).limit() == 500); // as it was asked for
    CHECK(ConnectionLimit({500, 1, 100, true, 15s}, clock).limit() == 100);
}

TEST_CASE("limit: never more in flight than allowed, first come first served, cancel frees") {
    SystemClock clock;
    ConnectionLimit limit({2, 1, 2, false, 15s}, clock);
    auto first = limit.acquire(Cancel()), second = limit.acquire(Cancel());
    std::mutex mutex;
    std::vector<int> order;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            auto slot = limit.acquire(Cancel());
            std::lock_guard lock(mutex);
            order.push_back(i);
        });
        while (limit.waiting() != i + 1) std::this_thread::yield();
    }
    Cancel stop;
    std::atomic<bool> interrupted{false};
    std::jthread impatient([&] {
        try {
            limit.acquire(stop);
        } catch (const Interrupted&) {
            interrupted = true;
        }
    });
    while (limit.waiting() != 5) std::this_thread::yield();
    CHECK(limit.in_flight() == 2);
    stop.cancel(Cause::User);
    impatient.join();
    CHECK(interrupted);
    CHECK(limit.waiting() == 4);
    first = {}; // one place: the four go one after the other
    threads.clear();
    CHECK(order == std::vector<int>{0, 1, 2, 3});
    Cancel deadline = Cancel().child(Cause::Deadline, 10ms, "10 ms");
    auto third = limit.acquire(Cancel());
    CHECK_THROWS_AS(limit.acquire(deadline), Interrupted);
    CHECK(limit.waiting() == 0);
}

TEST_CASE("limit: many threads, some of them cancelled, leave it empty") {
    SystemClock clock;
    ConnectionLimit limit({3, 1, 3, false, 15s}, clock);
    std::atomic<int> inside{0}, most{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 50; ++i) {
                    Cancel c = Cancel().child(Cause::Deadline, t == 0 ? 1us : 10s, "");
                    try {
                        auto slot = limit.acquire(c);
                        int now = ++inside;
                        int seen = most;
                        while (now > seen && !most.compare_exchange_weak(seen, now)) {
                        }
                        std::this_thread::yield();
                        --inside;
                    } catch (const Interrupted&) {
                    }
                }
            });
    }
    CHECK(most <= 3);
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
}

TEST_CASE("pool: one limit a key; a model without a key has none") {
    SystemClock clock;
    ConnectionPool pool({}, clock);
    CHECK(pool.at("a") == pool.at("a"));
    CHECK(pool.at("a") != pool.at("b"));
    auto fake = std::make_unique<FakeModel>();
    fake->say("x");
    auto model = with_retries(std::move(fake), pool, {}, clock);
    CompletionRequest request;
    CHECK(model->complete(request, {}, Cancel()).message.text() == "x");
    CHECK(pool.all().count("fake") == 1);
}

TEST_CASE("pool: changes are told with the connection and whether the server said for how long") {
    ManualClock clock;
    std::string told;
    ConnectionPool pool(
        {}, clock, [&](const std::string& key, const ConnectionLimit::Change& change) {
            told += fmt::format("{} {} {} {};", key, change.before, change.after, change.cause);
        });
    for (auto after : {std::optional<double>(), std::optional<double>(0.001)}) {
        auto fake = std::make_unique<FakeModel>();
        fake->fail(ModelFault::Overload, "429", after).say("x");
        auto model = with_retries(std::move(fake), pool, {.first_wait = 1ms}, clock);
        model->complete({}, {}, Cancel());
        clock.advance(16s); // the cool-down
    }
    CHECK(told == "fake 20 16 overload;fake 16 12 retry_after;");
}

TEST_CASE("prices: the first pattern that matches") {
    auto table = PriceTable::parse(
        R"({"big-*":{"input":10,"cached_input":1,"output":100},"*":{"input":1,"output":2}})", "p");
    Usage usage;
    usage.prompt_tokens = 1'000'000;
    usage.cached_tokens = 400'000;
    usage.completion_tokens = 100'000;
    CHECK(table.cost("big-1", usage) == Approx(6 + 0.4 + 10));
    CHECK(table.cost("other", usage) == Approx(1.2));
    CHECK_FALSE(PriceTable::parse("{}", "p").cost("x", usage));
    for (const char* bad : {"[]", "{", R"({"x":{"input":1}})", R"({"x":{"input":-1,"output":1}})",
                            R"({"x":{"input":1,"output":1,"tax":1}})", R"({"x":3})"})
        CHECK_THROWS_AS(PriceTable::parse(bad, "p"), Error);
}
