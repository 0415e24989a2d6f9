#include "assay/base/error.h"
#include "assay/io/fd_stream.h"
#include "assay/io/reactor.h"
#include "catch.h"

#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace assay;
using namespace std::chrono_literals;

namespace {
Cancel patience() {
    return Cancel().child(Cause::Deadline, 30s, "test");
}
std::string read_all(Stream& stream) {
    std::string all;
    std::array<char, 4096> buffer;
    while (std::size_t n = stream.read(buffer, patience())) all.append(buffer.data(), n);
    return all;
}
} // namespace

TEST_CASE("timers fire once, and not after their watch is gone") {
    std::atomic<int> fired = 0, dropped = 0;
    Reactor reactor;
    std::promise<void> done;
    auto never = std::make_optional(reactor.after(500ms, [&] { ++dropped; }));
    auto once = reactor.after(5ms, [&] { ++fired; });
    never.reset();
    auto last = reactor.after(600ms, [&] { done.set_value(); });
    done.get_future().get();
    REQUIRE(fired == 1);
    REQUIRE(dropped == 0);
}

TEST_CASE("a callback may drop its own watch, and may throw") {
    Reactor reactor;
    SocketPair pair = make_socket_pair();
    std::atomic<int> calls = 0;
    std::promise<void> armed, done;
    Reactor::Watch watch;
    auto may_run = armed.get_future().share();
    watch = reactor.on_readable(pair.second.get(), [&] {
        may_run.wait();
        ++calls;
        watch = {};
        done.set_value();
        throw std::runtime_error("thrown on purpose");
    });
    REQUIRE(::send(pair.first.get(), "x", 1, 0) == 1); // stays unread: would fire again
    armed.set_value();
    done.get_future().get();
    std::promise<void> after;
    reactor.post([&] { after.set_value(); });
    after.get_future().get();
    REQUIRE(calls == 1);
}

TEST_CASE("signals arrive as calls") {
    Reactor reactor;
    std::promise<int> got;
    auto watch = reactor.on_signals({SIGUSR1, SIGUSR2}, [&](int number) { got.set_value(number); });
    ::kill(::getpid(), SIGUSR2);
    REQUIRE(got.get_future().get() == SIGUSR2);
}

TEST_CASE("a pump copies both ways and passes half-closes on") {
    Reactor reactor;
    auto left = make_socket_pair(), right = make_socket_pair();
    std::promise<void> done;
    reactor.pump(std::move(left.second), std::move(right.second), [&] { done.set_value(); });
    FdStream a(std::move(left.first)), b(std::move(right.first));
    std::string large(1'000'000, 'r');
    std::thread writer([&] {
        a.write(large, patience());
        a.shutdown_write();
    });
    REQUIRE(read_all(b) == large); // ends: the half-close came through
    b.write("answer after the half-close", patience());
    b.close();
    REQUIRE(read_all(a) == "answer after the half-close");
    writer.join();
    done.get_future().get();
}

TEST_CASE("a pump to a peer that is gone ends both sides without SIGPIPE") {
    Reactor reactor;
    auto left = make_socket_pair(), right = make_socket_pair();
    std::promise<void> done;
    right.first.reset();
    reactor.pump(std::move(left.second), std::move(right.second), [&] { done.set_value(); });
    FdStream a(std::move(left.first));
    try {
        for (;;) a.write(std::string(100'000, 'x'), patience());
    } catch (const Error&) {
    }
    done.get_future().get();
}

TEST_CASE("a hundred pumps at once, and a reactor that ends under them") {
    std::vector<std::unique_ptr<FdStream>> clients, servers;
    {
        Reactor reactor;
        for (int i = 0; i < 100; ++i) {
            auto left = make_socket_pair(), right = make_socket_pair();
            reactor.pump(std::move(left.second), std::move(right.second));
            clients.push_back(std::make_unique<FdStream>(std::move(left.first)));
            servers.push_back(std::make_unique<FdStream>(std::move(right.first)));
            clients.back()->write("message " + std::to_string(i), patience());
        }
        std::array<char, 64> buffer;
        for (int i = 0; i < 100; ++i) {
            std::size_t n = servers[i]->read(buffer, patience());
            REQUIRE(std::string(buffer.data(), n) == "message " + std::to_string(i));
        }
    }
    std::array<char, 64> buffer;
    REQUIRE(clients[7]->read(buffer, patience()) == 0);
}
