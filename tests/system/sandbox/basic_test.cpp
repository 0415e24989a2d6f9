#include "catch.h"
#include "support.h"

#include <fstream>

namespace assay::test {

TEST_CASE("a command runs and its output and status come back") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    CHECK(box.alive());
    ExecResult result = sh(box, "echo out; echo err >&2; exit 3");
    CHECK(result.out == "out\n");
    CHECK(result.err == "err\n");
    CHECK(result.status.code == 3);
    CHECK(sh(box, "kill -9 $$").status.signal == 9);
    CHECK(sh(box, "id -u; hostname; pwd").out == "0\nmain\n/\n");
}

TEST_CASE("what cannot be started is a StartError and names its reason") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    ExecOptions options;
    CHECK_THROWS_WITH(box.exec({"no-such-program"}, options, Cancel()),
                      Catch::Contains("no such program no-such-program"));
    options.cwd = "/no/such/folder";
    CHECK_THROWS_AS(box.exec({"true"}, options, Cancel()), StartError);
    options = {};
    options.user = "nobody-knows";
    CHECK_THROWS_WITH(box.exec({"true"}, options, Cancel()), Catch::Contains("no such user"));
    options = {};
    CHECK_THROWS_AS(box.exec({"true", std::string("a\0b", 3)}, options, Cancel()), StartError);
    CHECK_THROWS_AS(box.exec({}, options, Cancel()), StartError);
    CHECK(box.exec({"true"}, options, Cancel()).ok());
}

TEST_CASE("bytes pass unchanged: NUL, invalid UTF-8, a large environment") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    ExecOptions options;
    options.stdin_mode = StdinMode::Pipe;
    options.input = std::string("a\0b\xff\n", 5);
    CHECK(box.exec({"cat"}, options, Cancel()).out == options.input);
    ExecOptions large;
    large.environment["BIG"] = std::string(100'000, 'x');
    large.environment["UML"] = "\xc3\xbc";
    CHECK(sh(box, "printf %s \"$BIG$UML\" | wc -c", large).out == "100002\n");
}

TEST_CASE("put and get") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    Cancel cancel;
    std::string data(300'000, 'z');
    data += std::string("\0\xff", 2);
    box.put_file("/a/b/c.bin", data, 0640, cancel);
    CHECK(sh(box, "stat -c '%a %U %s' /a/b/c.bin").out == "640 root 300002\n");
    CHECK(box.get_file("/a/b/c.bin", 1 << 20, cancel) == data);
    CHECK_FALSE(box.get_file("/a/b/none", 1 << 20, cancel).has_value());
    CHECK_THROWS_WITH(box.get_file("/a/b/c.bin", 1000, cancel), Catch::Contains("limit"));
    CHECK_THROWS_AS(box.get_file("/a/b", 1000, cancel), Error);
    CHECK_THROWS_AS(box.put_file("relative", "x", 0644, cancel), Error);
}

} // namespace assay::test
