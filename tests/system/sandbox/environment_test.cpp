#include "catch.h"
#include "skip.h"
#include "support.h"

#include <chrono>
#include <thread>

namespace assay::test {

using namespace std::chrono_literals;

TEST_CASE("sandboxes of one environment reach one another by name, and others do not") {
    EnvironmentSpec spec;
    spec.sandboxes.resize(2);
    spec.sandboxes[1].name = "db";
    auto environment = backend().start(spec, Cancel());
    Sandbox& main = environment->main();
    Sandbox* db = environment->find("db");
    REQUIRE(db != nullptr);
    const std::string serve =
        "cd /tmp && echo hello from $(hostname) > index.html && (python3 -m http.server 8000 "
        ">/dev/null 2>&1 & ) ; for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8000) "
        "2>/dev/null && break; sleep 0.1; done";
    REQUIRE(sh(*db, serve).ok());
    const std::string fetch =
        "exec 3<>/dev/tcp/db/8000; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    CHECK_THAT(sh(main, fetch).out, Catch::Contains("hello from db"));

    Sandbox& third = environment->add(
        [] {
            SandboxSpec s;
            s.name = "third";
            return s;
        }(),
        Cancel());
    CHECK_THAT(sh(third, fetch).out, Catch::Contains("hello from db"));
    CHECK_THAT(sh(main, "cat /etc/hosts").out, Catch::Contains("third"));
    CHECK(environment->names() == std::vector<std::string>{"main", "db", "third"});

    auto stranger = host_environment();
    CHECK_FALSE(sh(stranger->main(), "exec 3<>/dev/tcp/10.213.0.2/8000").ok());

    environment->remove("db");
    CHECK(environment->find("db") == nullptr);
    CHECK_FALSE(sh(main, "timeout 5 bash -c 'exec 3<>/dev/tcp/10.213.0.2/8000'").ok());
}

TEST_CASE("while one owner needs quiet, what others left running stands still") {
    auto start = [](const char* owner) {
        EnvironmentSpec spec;
        spec.owner = owner;
        return backend().start(spec, Cancel());
    };
    auto mine = start("mine"), other = start("other"), gone = start("gone");
    const std::string count = "(i=0; while :; do i=$((i+1)); echo $i > /tmp/n; done) & sleep 0.1";
    for (Environment* one : {mine.get(), other.get(), gone.get()})
        REQUIRE(sh(one->main(), count).ok());
    auto moves = [](Environment& one) { // seen from outside: nothing in there answers
        double before = one.usage().cpu_seconds;
        std::this_thread::sleep_for(300ms);
        return one.usage().cpu_seconds > before;
    };
    CHECK(moves(*other)); // without the guard
    auto quiet = backend().quiet("mine");
    REQUIRE(quiet);
    if (quiet->running() > 0) {
        skip("no writable cgroup to freeze with");
        return;
    }
    CHECK(quiet->frozen() == 2);
    CHECK(moves(*mine));
    CHECK_FALSE(moves(*other));
    gone.reset(); // what is frozen can be ended
    quiet.reset();
    CHECK(moves(*other));
    CHECK(sh(other->main(), "test -e /tmp/n").ok());
}

TEST_CASE("connect and expose reach a sandbox's own loopback") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    Cancel cancel;
    auto exposed = box.expose(
        [](std::unique_ptr<Stream> stream, const Cancel& c) {
            char line[64];
            std::size_t n = stream->read(line, c);
            stream->write("you said " + std::string(line, n), c);
        },
        cancel);
    std::string port = exposed->address().substr(exposed->address().find(':') + 1);
    CHECK(sh(box, "exec 3<>/dev/tcp/127.0.0.1/" + port + "; echo hi >&3; cat <&3").out ==
          "you said hi\n");
    CHECK_THROWS_AS(box.connect(9, cancel), Error);

    REQUIRE(sh(box, "cd /tmp; (python3 -m http.server 8000 >/dev/null 2>&1 &) ; for i in $(seq "
                    "100); do (exec 3<>/dev/tcp/127.0.0.1/8000) 2>/dev/null && break; sleep 0.1; "
                    "done")
                .ok());
    auto stream = box.connect(8000, cancel);
    stream->write("GET / HTTP/1.0\r\n\r\n", cancel);
    char answer[8];
    CHECK(stream->read(answer, cancel) > 0);
    CHECK(std::string(answer, 4) == "HTTP");
}

} // namespace assay::test
