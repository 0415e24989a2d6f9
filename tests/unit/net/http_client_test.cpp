#include "assay/base/text.h"
#include "catch.h"
#include "peer.h"

#include <sys/socket.h>

#include <atomic>
#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

HttpResponse get(const Peer& peer, const HttpOptions& options = {}) {
    return HttpClient(direct()).send(peer.url(), {}, options, patience());
}

HttpFailure failure_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const HttpError& e) {
        INFO(e.message());
        return e.failure();
    }
    throw std::runtime_error("no HttpError");
}

HttpFailure failure_of(const std::string& answer, const HttpOptions& options = {}) {
    Peer peer({Peer::says(answer)});
    return failure_of([&] { get(peer, options); });
}

} // namespace

TEST_CASE("a request and its answer") {
    std::string seen;
    Peer peer({[&](FdStream& stream) {
        seen = read_head(stream, 4);
        stream.write("HTTP/1.1 404 Not Here\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello",
                     patience());
    }});
    HttpRequest request{"POST", "", {{"Content-Type", "text/plain"}}, "body"};
    HttpResponse answer = HttpClient(direct()).send(peer.url("/a/b?c=d"), request, {}, patience());
    REQUIRE(answer.status == 404);
    REQUIRE(answer.reason == "Not Here");
    REQUIRE(answer.body == "hello");
    REQUIRE(answer.headers.get("X-A") == "1");
    REQUIRE(answer.headers.size() == 3);
    REQUIRE(seen.starts_with("POST /a/b?c=d HTTP/1.1\r\n"));
    REQUIRE(seen.find("Host: 127.0.0.1:" + std::to_string(peer.port()) + "\r\n") != seen.npos);
    REQUIRE(seen.find("Content-Length: 4\r\n") != seen.npos);
    REQUIRE(seen.ends_with("\r\n\r\nbody"));
}

TEST_CASE("every way to end a body") {
    auto body = [](const std::string& answer) {
        Peer peer({Peer::says(answer)});
        return get(peer).body;
    };
    REQUIRE(body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcIGNORED") == "abc");
    REQUIRE(body("HTTP/1.1 200 OK\r\n\r\nuntil the end") == "until the end");
    REQUIRE(body("HTTP/1.0 200 OK\r\n\r\n") == "");
    REQUIRE(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n2;ext=\"1\"\r\nde\r\n0\r\nTrailer: x\r\n\r\n") == "abcde");
    REQUIRE(body("HTTP/1.1 204 No Content\r\n\r\n") == "");
    REQUIRE(body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") == "ok");
}

TEST_CASE("trailers do not become headers") {
    Peer peer({Peer::says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "1\r\na\r\n0\r\nX-Late: x\r\n\r\n")});
    REQUIRE_FALSE(get(peer).headers.has("X-Late"));
}

TEST_CASE("the answer to HEAD has no body, whatever its length says") {
    Peer peer({Peer::says("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")});
    HttpRequest request;
    request.method = "HEAD";
    REQUIRE(HttpClient(direct()).send(peer.url(), request, {}, patience()).body.empty());
}

TEST_CASE("a body that is cut off is an error, not a short body") {
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") == HttpFailure::Closed);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab") ==
            HttpFailure::Closed);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n") ==
            HttpFailure::Closed);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n") ==
            HttpFailure::Closed);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nConten") == HttpFailure::Closed);
    REQUIRE(failure_of("") == HttpFailure::Closed);
}

TEST_CASE("what is not HTTP is refused") {
    for (std::string answer :
         {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcdef\r\n0\r\n\r\n",
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
        INFO(answer);
        REQUIRE(failure_of(answer) == HttpFailure::BadResponse);
    }
}

TEST_CASE("bombs are refused at the limit") {
    HttpOptions small;
    small.max_header = 2000;
    small.max_body = 100;
    std::string header = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 100; ++i) header += "X-Header-Bomb: 0123456789012345678901234567890\r\n";
    REQUIRE(failure_of(header + "\r\n", small) == HttpFailure::TooLarge);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'x'), small) ==
            HttpFailure::TooLarge);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", small) ==
            HttpFailure::TooLarge);
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\n\r\n" + std::string(101, 'x'), small) ==
            HttpFailure::TooLarge);
    // A chunk of 16 EiB is believed only as far as the bytes come.
    REQUIRE(failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "fffffffffffffff0\r\n" +
                           std::string(200, 'x'),
                       small) == HttpFailure::TooLarge);
    Peer endless({[](FdStream& stream) { // a chunk extension that never ends
        read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", patience());
        for (;;) stream.write(std::string(65536, 'e'), patience());
    }});
    REQUIRE(failure_of([&] { get(endless, small); }) == HttpFailure::BadResponse);
    std::string interim;
    for (int i = 0; i < 100; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
    REQUIRE(failure_of(interim) == HttpFailure::BadResponse);
}

TEST_CASE("one byte at a time is the same answer") {
    std::string answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                         "Transfer-Encoding: chunked\r\nX-Y: z\r\n\r\n3\r\nabc\r\n4;e\r\ndefg\r\n"
                         "0\r\n\r\n";
    Peer peer({[&](FdStream& stream) {
        read_head(stream);
        for (char c : answer) stream.write({&c, 1}, patience());
    }});
    std::string pieces;
    HttpOptions options;
    options.on_data = [&](std::string_view data) {
        pieces += data;
        return true;
    };
    HttpResponse response = get(peer, options);
    REQUIRE(pieces == "abcdefg");
    REQUIRE(response.body.empty());
    REQUIRE(response.headers.get("x-y") == "z");
}

TEST_CASE("streaming: pieces come before the end, and can be stopped") {
    std::atomic<bool> got = false;
    Peer peer({[&](FdStream& stream) {
        read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                     patience());
        while (!got) std::this_thread::sleep_for(1ms); // a client that waits for all would hang
        stream.write("3\r\ndef\r\n", patience());
        std::array<char, 16> buffer; // no end of the body: the client must close
        while (stream.read(buffer, patience()) > 0) {
        }
    }});
    HttpOptions options;
    int calls = 0, status = 0;
    options.on_header = [&](const HttpResponse& head) { status = head.status; };
    options.on_data = [&](std::string_view data) {
        REQUIRE(status == 200);
        got = true;
        return ++calls < 2 || data != "def";
    };
    HttpResponse response = get(peer, options);
    REQUIRE(calls == 2);
    REQUIRE(response.status == 200);
}

TEST_CASE("the body of an error answer is not given to on_data") {
    Peer peer({Peer::says("HTTP/1.1 429 Slow Down\r\nContent-Length: 4\r\n\r\nwait")});
    HttpOptions options;
    options.on_data = [](std::string_view) -> bool { throw std::logic_error("called"); };
    REQUIRE(get(peer, options).body == "wait");
}

TEST_CASE("an exception of a callback comes out as it is") {
    Peer peer({Peer::says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwait")});
    HttpOptions options;
    options.on_data = [](std::string_view) -> bool { throw std::logic_error("mine"); };
    REQUIRE_THROWS_AS(get(peer, options), std::logic_error);
}

TEST_CASE("time limits are Timeout, the caller's cancel is Interrupted") {
    auto silent = [](FdStream& stream) {
        read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", patience());
        std::array<char, 16> buffer;
        while (stream.read(buffer, patience()) > 0) {
        }
    };
    Peer peer({silent, silent, silent, silent});
    HttpOptions idle, whole;
    idle.idle_timeout = 30ms;
    whole.timeout = 30ms;
    REQUIRE(failure_of([&] { get(peer, idle); }) == HttpFailure::Timeout);
    REQUIRE(failure_of([&] { get(peer, whole); }) == HttpFailure::Timeout);
    HttpClient client(direct());
    Cancel deadline = Cancel().child(Cause::TimeLimit, 30ms, "phase");
    REQUIRE_THROWS_AS(client.send(peer.url(), {}, {}, deadline), Interrupted);
    Cancel user;
    std::thread thread([&] {
        std::this_thread::sleep_for(20ms);
        user.cancel(Cause::User);
    });
    REQUIRE_THROWS_AS(client.send(peer.url(), {}, idle.idle_timeout ? HttpOptions{} : idle, user),
                      Interrupted);
    thread.join();
}

TEST_CASE("a slow trickle does not outlast the whole limit, but satisfies the idle one") {
    Peer peer({[](FdStream& stream) {
        read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\n\r\n", patience());
        for (;;) {
            stream.write("x", patience());
            std::this_thread::sleep_for(5ms);
        }
    }});
    HttpOptions options;
    options.idle_timeout = 5s;
    options.timeout = 200ms;
    REQUIRE(failure_of([&] { get(peer, options); }) == HttpFailure::Timeout);
}

TEST_CASE("resolve and connect failures have their class") {
    HttpClient client(direct());
    REQUIRE(failure_of([&] { client.send("http://no-such-host.invalid/", {}, {}, patience()); }) ==
            HttpFailure::Resolve);
    std::uint16_t closed = listen_loopback().port;
    std::string url = "http://127.0.0.1:" + std::to_string(closed) + "/x?key=secret";
    try {
        client.send(url, {}, {}, patience());
        FAIL("connected");
    } catch (const HttpError& e) {
        REQUIRE(e.failure() == HttpFailure::Connect);
        REQUIRE(e.message().find("GET http://127.0.0.1:") == 0);
        REQUIRE(e.message().find("secret") == std::string::npos);
    }
}

TEST_CASE("a kept connection is used again, also by many threads") {
    std::atomic<int> requests = 0;
    auto serve = [&](FdStream& stream) {
        while (!read_head(stream).empty()) {
            ++requests;
            stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", patience());
        }
    };
    Peer peer({serve}); // accepts one connection only
    HttpClient client(direct());
    for (int i = 0; i < 5; ++i) REQUIRE(client.send(peer.url(), {}, {}, patience()).body == "ok");
    REQUIRE(requests == 5);
}

TEST_CASE("a connection that the server closed while idle is replaced, for any method") {
    auto once = Peer::says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    Peer peer({once, once});
    HttpClient client(direct());
    HttpRequest post{"POST", "", {}, "x"};
    REQUIRE(client.send(peer.url(), post, {}, patience()).body == "ok");
    while (peer.closed() == 0) std::this_thread::sleep_for(1ms);
    REQUIRE(client.send(peer.url(), post, {}, patience()).body == "ok");
}

TEST_CASE("only an idempotent request is sent again when a kept connection dies under it") {
    // The first connection answers once, reads a second request and dies without a word.
    auto dies = [](FdStream& stream) {
        read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", patience());
        read_head(stream);
    };
    std::string method = GENERATE("GET", "POST");
    Peer peer({dies, Peer::says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")});
    HttpClient client(direct());
    HttpRequest request;
    request.method = method;
    REQUIRE(client.send(peer.url(), request, {}, patience()).body == "ok");
    if (method == "GET")
        REQUIRE(client.send(peer.url(), request, {}, patience()).body == "again");
    else
        REQUIRE(failure_of([&] { client.send(peer.url(), request, {}, patience()); }) ==
                HttpFailure::Closed);
}

TEST_CASE("a request on a new connection is never sent again") {
    std::atomic<int> connections = 0;
    auto mute = [&](FdStream& stream) {
        ++connections;
        read_head(stream);
    };
    Peer peer({mute, mute});
    REQUIRE(failure_of([&] { get(peer); }) == HttpFailure::Closed);
    REQUIRE(connections == 1);
}

TEST_CASE("bytes after an answer poison the connection") {
    auto chatty = Peer::says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                             "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    Peer peer({chatty, chatty});
    HttpClient client(direct());
    for (int i = 0; i < 2; ++i) REQUIRE(client.send(peer.url(), {}, {}, patience()).body == "ok");
}

TEST_CASE("an early answer to a large upload is read although the upload failed") {
    Peer peer({[](FdStream& stream) {
        read_head(stream);
        stream.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
                     patience());
        stream.shutdown_write();
        std::array<char, 65536> buffer;
        for (int i = 0; i < 40; ++i) stream.read(buffer, patience());
    }});
    HttpRequest request{"POST", "", {}, std::string(1'000'000, 'u')};
    HttpResponse answer = HttpClient(direct()).send(peer.url(), request, {}, patience());
    REQUIRE(answer.status == 413);
    REQUIRE(answer.body == "big");
}

TEST_CASE("a request cannot be split by what is in its headers") {
    Peer peer({});
    HttpClient client(direct());
    for (auto& [name, value] : std::vector<HttpHeaders::Field>{
             {"X", "a\r\nY: b"}, {"X\r\nY", "b"}, {"", "x"}, {"X Y", "x"}, {"X", "a\nb"}}) {
        HttpRequest request;
        request.headers.add(name, value);
        REQUIRE_THROWS_AS(client.send(peer.url(), request, {}, patience()), Error);
    }
}

TEST_CASE("an exchange over a borrowed stream") {
    auto [ours, theirs] = make_stream_pair();
    std::thread server([&stream = *theirs] {
        read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin", patience());
    });
    REQUIRE(send_over(*ours, {}, {}, patience()).body == "in");
    server.join();
}
