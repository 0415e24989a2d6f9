// What is made once a key: who waits for whom, and what a failure or a cancel does.
#include "assay/base/error.h"
#include "catch.h"
#include "once_per_key.h"

#include <atomic>
#include <future>
#include <thread>

using namespace assay;
using namespace assay::kernel_bench;
using namespace std::chrono_literals;

namespace {

// A first caller that is making "a" until it is let go.
struct Maker {
    OncePerKey<int> once;
    std::promise<void> begun, go;
    std::future<int> first;

    explicit Maker(bool fails = false) {
        first = std::async(std::launch::async, [this, fails] {
            return *once.get(
                "a",
                [&] {
                    begun.set_value();
                    go.get_future().wait();
                    if (fails) throw Error(ErrorKind::Sandbox, "planted");
                    return 1;
                },
                Cancel());
        });
        begun.get_future().wait();
    }
};

} // namespace

TEST_CASE("a value is made once, and others wait for it") {
    Maker maker;
    auto second = std::async(std::launch::async,
                             [&] { return *maker.once.get("a", [] { return 2; }, Cancel()); });
    CHECK(second.wait_for(150ms) == std::future_status::timeout);
    maker.go.set_value();
    CHECK(maker.first.get() == 1);
    CHECK(second.get() == 1);
}

TEST_CASE("another key does not wait") {
    Maker maker;
    CHECK(*maker.once.get("b", [] { return 7; }, Cancel()) == 7);
    maker.go.set_value();
    CHECK(maker.first.get() == 1);
}

TEST_CASE("who waits can be cancelled") {
    Maker maker;
    Cancel cancel;
    auto second = std::async(std::launch::async,
                             [&] { return *maker.once.get("a", [] { return 2; }, cancel); });
    cancel.cancel(Cause::User);
    CHECK_THROWS_AS(second.get(), Interrupted); // while the first is at it
    maker.go.set_value();
    CHECK(maker.first.get() == 1);
}

TEST_CASE("a failure is its maker's alone: who waited makes the value") {
    Maker maker(true);
    auto second = std::async(std::launch::async,
                             [&] { return *maker.once.get("a", [] { return 2; }, Cancel()); });
    std::this_thread::sleep_for(20ms);
    maker.go.set_value();
    CHECK_THROWS_AS(maker.first.get(), Error);
    CHECK(second.get() == 2);
}
