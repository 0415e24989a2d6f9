#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "assay/net/http_server.h"
#include "catch.h"
#include "peer.h"

#include <atomic>
#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

void echo(const HttpRequest& request, ResponseWriter& writer) {
    if (request.target == "/throw") throw Error(ErrorKind::Io, "handler broke");
    if (request.target == "/nothing") return;
    if (request.target == "/chunks") {
        writer.start({200, "", {{"X-Kind", "chunks"}}, ""});
        for (std::string_view part : {"one ", "two ", "", "three"}) writer.write(part);
        return;
    }
    if (request.target == "/events") {
        writer.start_events();
        for (int i = 0; i < 3; ++i) writer.event({"n", std::to_string(i), "", {}});
        return;
    }
    if (request.target == "/throw-late") {
        writer.start({});
        writer.write("part");
        throw Error(ErrorKind::Io, "handler broke");
    }
    if (request.target == "/break") {
        writer.start({});
        writer.write("part");
        writer.break_connection();
        return;
    }
    if (request.target == "/raw") {
        writer.raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        return;
    }
    writer.send({200, "", {{"X-Method", request.method}}, request.body});
}

struct Echo {
    explicit Echo(HttpServerOptions options = {})
        : server(listen_loopback(), echo, std::move(options)) {}
    std::string url(const std::string& target) const {
        return "http://127.0.0.1:" + std::to_string(server.port()) + target;
    }
    HttpResponse get(const std::string& target) {
        return client.send(url(target), {}, {}, patience());
    }
    // The raw answer to raw bytes, until the server closes.
    std::string talk(const std::string& bytes) const {
        FdStream stream(connect_tcp("127.0.0.1", server.port(), patience()));
        stream.write(bytes, patience());
        std::string all;
        std::array<char, 4096> buffer;
        while (std::size_t n = stream.read(buffer, patience())) all.append(buffer.data(), n);
        return all;
    }
    HttpClient client{direct()};
    HttpServer server;
};

} // namespace

TEST_CASE("whole answers, chunks, events and errors of the handler") {
    Echo echo_server;
    HttpRequest post{"POST", "", {}, std::string(300'000, 'p')};
    HttpResponse answer = echo_server.client.send(echo_server.url("/"), post, {}, patience());
    REQUIRE(answer.body == post.body);
    REQUIRE(answer.headers.get("x-method") == "POST");
    REQUIRE(echo_server.get("/chunks").body == "one two three");
    REQUIRE(echo_server.get("/chunks").headers.get("x-kind") == "chunks");
    HttpResponse events = echo_server.get("/events");
    REQUIRE(events.headers.get("content-type") == "text/event-stream");
    REQUIRE(SseParser().feed(events.body).size() == 3);
    REQUIRE(echo_server.get("/throw").status == 500);
    REQUIRE(echo_server.get("/throw").body == "handler broke\n");
    REQUIRE(echo_server.get("/nothing").status == 204);
}

TEST_CASE("an answer that the handler did not finish is an error at the client") {
    Echo echo_server;
    for (std::string target : {"/throw-late", "/break", "/raw"}) {
        INFO(target);
        try {
            echo_server.get(target);
            FAIL("took the part for the whole");
        } catch (const HttpError& e) {
            REQUIRE(e.failure() == HttpFailure::Closed);
        }
    }
}

TEST_CASE("HEAD, HTTP/1.0, pipelining and Expect") {
    Echo echo_server;
    HttpRequest head;
    head.method = "HEAD";
    for (std::string target : {"/", "/chunks", "/"})
        REQUIRE(echo_server.client.send(echo_server.url(target), head, {}, patience()).status ==
                200);
    std::string old = echo_server.talk("GET /chunks HTTP/1.0\r\n\r\n");
    REQUIRE(old.find("chunked") == std::string::npos);
    REQUIRE(old.ends_with("\r\n\r\none two three"));
    std::string two =
        echo_server.talk("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                         "GET /chunks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    REQUIRE(two.starts_with("HTTP/1.1 204 "));
    REQUIRE(two.ends_with("0\r\n\r\n"));
    FdStream stream(connect_tcp("127.0.0.1", echo_server.server.port(), patience()));
    stream.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
                 patience());
    REQUIRE(read_head(stream) == "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write("hi", patience());
    REQUIRE(read_head(stream, 2).ends_with("\r\n\r\nhi"));
}

TEST_CASE("malformed and oversized requests get their status") {
    HttpServerOptions options;
    options.max_header = 1000;
    options.max_body = 1000;
    Echo echo_server(options);
    REQUIRE(echo_server.talk("NONSENSE\r\n\r\n").starts_with("HTTP/1.1 400 "));
    REQUIRE(echo_server.talk("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n")
                .starts_with("HTTP/1.1 431 "));
    REQUIRE(
        echo_server
            .talk("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + std::string(100000, 'x'))
            .starts_with("HTTP/1.1 413 "));
    // Two framings at once: the classic of request smuggling.
    REQUIRE(echo_server
                .talk("POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
                      "\r\n0\r\n\r\n")
                .starts_with("HTTP/1.1 400 "));
}

TEST_CASE("a slow request is ended by its time limit") {
    HttpServerOptions options;
    options.request_timeout = 100ms;
    Echo echo_server(options);
    REQUIRE(echo_server.talk("GET / HTTP/1.1\r\nHost:").starts_with("HTTP/1.1 408 "));
    FdStream stream(connect_tcp("127.0.0.1", echo_server.server.port(), patience()));
    stream.write("GET / HTTP/1.1\r\nX: ", patience());
    auto trickle = [&] { // would go on for minutes
        for (int i = 0; i < 60'000; ++i) {
            stream.write("x", patience());
            std::this_thread::sleep_for(2ms);
        }
    };
    REQUIRE_THROWS_AS(trickle(), Error);
    REQUIRE(echo_server.get("/nothing").status == 204); // others are served
}

TEST_CASE("many clients at once") {
    Echo echo_server;
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                HttpRequest post{"POST", "", {}, std::to_string(t * 1000 + i)};
                if (echo_server.client.send(echo_server.url("/"), post, {}, patience()).body ==
                    post.body)
                    ++good;
            }
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(good == 160);
}

TEST_CASE("stop ends idle connections at once and running handlers after the grace") {
    HttpServerOptions options;
    options.stop_grace = 50ms;
    std::atomic<bool> entered = false, interrupted = false;
    HttpServer server(
        listen_loopback(),
        [&](const HttpRequest&, ResponseWriter& writer) {
            entered = true;
            try {
                for (;;) {
                    writer.cancel().check();
                    writer.cancel().sleep_for(10s);
                }
            } catch (const Interrupted&) {
                interrupted = true;
                throw;
            }
        },
        options);
    FdStream idle(connect_tcp("127.0.0.1", server.port(), patience()));
    bool failed = false;
    std::thread client([&] {
        try {
            std::string url = "http://127.0.0.1:" + std::to_string(server.port());
            HttpClient(direct()).send(url, {}, {}, patience());
        } catch (const HttpError&) {
            failed = true;
        }
    });
    while (!entered) std::this_thread::sleep_for(1ms);
    server.stop();
    client.join();
    REQUIRE(interrupted);
    REQUIRE(failed);
    std::array<char, 8> buffer;
    REQUIRE(idle.read(buffer, patience()) == 0);
}

TEST_CASE("stop lets a running handler finish within the grace") {
    std::atomic<bool> entered = false;
    HttpServer server(listen_loopback(), [&](const HttpRequest&, ResponseWriter& writer) {
        entered = true;
        std::this_thread::sleep_for(50ms);
        writer.send({200, "", {}, "finished"});
    });
    std::string body;
    std::thread client([&] {
        std::string url = "http://127.0.0.1:" + std::to_string(server.port());
        body = HttpClient(direct()).send(url, {}, {}, patience()).body;
    });
    while (!entered) std::this_thread::sleep_for(1ms);
    server.stop();
    client.join();
    REQUIRE(body == "finished");
}

TEST_CASE("the same handler over a unix socket and over any stream") {
    TempFolder folder;
    HttpServer server(listen_unix(folder.path() / "s"), echo);
    FdStream stream(connect_unix(folder.path() / "s", patience()));
    REQUIRE(send_over(stream, {"PUT", "/", {}, "unix"}, {}, patience()).body == "unix");

    auto [ours, theirs] = make_stream_pair();
    std::thread thread([&inner = *theirs] { serve_connection(inner, echo, {}, patience()); });
    HttpConnection connection(std::move(ours));
    for (int i = 0; i < 3; ++i)
        REQUIRE(connection.send({"PUT", "/", {}, "stream"}, {}, patience()).body == "stream");
    REQUIRE(connection.reusable());
    connection.stream().close();
    thread.join();
}
