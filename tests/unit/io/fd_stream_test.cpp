#include "assay/base/error.h"
#include "assay/io/fd_stream.h"
#include "catch.h"

#include <fcntl.h>
#include <stdlib.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

using namespace assay;
using namespace std::chrono_literals;

namespace {
std::string read_all(Stream& stream, const Cancel& cancel) {
    std::string all;
    std::array<char, 4096> buffer;
    while (std::size_t n = stream.read(buffer, cancel)) all.append(buffer.data(), n);
    return all;
}
} // namespace

TEST_CASE("a pipe carries more than its buffer, then end of file") {
    Pipe pipe = make_pipe();
    FdStream reader(std::move(pipe.read_end)), writer(std::move(pipe.write_end));
    Cancel cancel;
    std::string data(3'000'000, 'x');
    std::thread thread([&] {
        writer.write(data, cancel);
        writer.shutdown_write();
    });
    REQUIRE(read_all(reader, cancel) == data);
    thread.join();
}

TEST_CASE("a reader that is gone is an error, not a signal") {
    Cancel cancel;
    SECTION("pipe") {
        Pipe pipe = make_pipe();
        FdStream writer(std::move(pipe.write_end));
        pipe.read_end.reset();
        REQUIRE_THROWS_AS(writer.write("x", cancel), Error);
    }
    SECTION("socket") {
        auto [a, b] = make_stream_pair();
        b.reset();
        REQUIRE_THROWS_AS(a->write("x", cancel), Error);
    }
}

TEST_CASE("half-close of a socket leaves the other direction open") {
    auto [a, b] = make_stream_pair();
    Cancel cancel;
    a->write("ping", cancel);
    a->shutdown_write();
    REQUIRE(read_all(*b, cancel) == "ping");
    b->write("pong", cancel);
    b->close();
    REQUIRE(read_all(*a, cancel) == "pong");
}

TEST_CASE("close from another thread wakes a blocked reader and writer") {
    for (int round = 0; round < 20; ++round) {
        auto [a, b] = make_stream_pair();
        Cancel cancel;
        std::atomic<int> ended = 0;
        std::thread reader([&] {
            read_all(*a, cancel);
            ++ended;
        });
        std::thread writer([&] {
            REQUIRE_THROWS_AS(a->write(std::string(4'000'000, 'x'), cancel), Error);
            ++ended;
        });
        std::this_thread::sleep_for(2ms);
        a->close();
        reader.join();
        writer.join();
        REQUIRE(ended == 2);
        REQUIRE(a->poll_fd() == -1);
        std::array<char, 8> buffer;
        REQUIRE(a->read(buffer, cancel) == 0);
    }
}

TEST_CASE("close wakes the reader of a pipe, whose descriptor is not reused under it") {
    Pipe pipe = make_pipe();
    FdStream reader(std::move(pipe.read_end));
    Cancel cancel;
    std::thread thread([&] { REQUIRE(read_all(reader, cancel).empty()); });
    std::this_thread::sleep_for(5ms);
    reader.close();
    thread.join();
    REQUIRE_THROWS_AS(FdStream(std::move(pipe.write_end)).write("x", cancel), Error);
}

TEST_CASE("cancel and deadline end a blocked read with their cause") {
    auto [a, b] = make_stream_pair();
    std::array<char, 8> buffer;
    Cancel root;
    Cancel limited = root.child(Cause::Deadline, 20ms, "20 ms");
    try {
        a->read(buffer, limited);
        FAIL("read returned");
    } catch (const Interrupted& e) {
        REQUIRE(e.reason().cause == Cause::Deadline);
    }
    std::thread thread([&] {
        std::this_thread::sleep_for(5ms);
        root.cancel(Cause::User);
    });
    REQUIRE_THROWS_AS(a->read(buffer, root), Interrupted);
    thread.join();
}

TEST_CASE("a pty reads end of file once its last slave is closed") {
    UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(master);
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    UniqueFd slave(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(::write(slave.get(), "hello", 5) == 5);
    FdStream stream(std::move(master));
    slave.reset();
    REQUIRE(read_all(stream, Cancel()) == "hello");
}
