// `assay serve` as a process: addresses, sockets, keys, its log and its end.
#include "assay/io/fd_stream.h"
#include "assay/io/socket.h"
#include "assay/net/http_client.h"
#include "served.h"

#include <sys/stat.h>

#include <array>

using namespace assay;
using namespace assay::test;

namespace {

const std::string kBody = R"({"model":"m","messages":[{"role":"user","content":"a secret word"}]})";

HttpResponse post(const std::string& url, HttpHeaders headers = {}) {
    HttpRequest request;
    request.method = "POST";
    request.headers = std::move(headers);
    request.body = kBody;
    return HttpClient().send(url + "/chat/completions", std::move(request), {}, Cancel());
}

} // namespace

TEST_CASE("serve: an answer, a log without what was said, and Ctrl-C") {
    Binary assay;
    assay.write_model(0, "good day");
    ServedBinary served(assay, {"--model", "script:model.json", "--name", "m"});
    INFO(served.log());
    REQUIRE(served.where().starts_with("http://127.0.0.1:"));
    HttpResponse answer = post(served.where());
    CHECK(answer.status == 200);
    CHECK_THAT(answer.body, Catch::Contains("good day"));
    CHECK(served.stop() == 0);
    CHECK_THAT(served.log(), Catch::Contains("POST \"/v1/chat/completions\" 200 stop"));
    CHECK_THAT(served.log(), !Catch::Contains("secret word") && !Catch::Contains("good day"));
}

TEST_CASE("serve: a key is asked for, and needed where other machines can come") {
    Binary assay;
    assay.write_model(0);
    CommandResult open = assay({"serve", "--model", "script:model.json", "--listen", "0.0.0.0:0"});
    CHECK(open.exit.code == 64);
    CHECK_THAT(open.err, Catch::Contains("--api-key-env"));
    CommandResult unset =
        assay({"serve", "--model", "script:model.json", "--api-key-env", "NOT_SET"});
    CHECK(unset.exit.code == 64);
    ServedBinary served(assay,
                        {"--model", "script:model.json", "--name", "m", "--api-key-env", "HOME"});
    REQUIRE_FALSE(served.where().empty());
    CHECK(post(served.where()).status == 401);
    served.stop();
}

TEST_CASE("serve: a Unix socket for its owner alone; what a killed server left is replaced") {
    Binary assay;
    assay.write_model(0, "by socket");
    const Path path = assay.folder() / "s.sock";
    {
        listen_unix(path);
    } // nobody listens there any more, the file stays
    REQUIRE(assay.exists("s.sock"));
    ServedBinary served(
        assay, {"--model", "script:model.json", "--name", "m", "--socket", path.string()}, false);
    INFO(served.log());
    REQUIRE(served.where() == "unix:" + path.string());
    struct stat info{};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);

    FdStream stream(connect_unix(path, Cancel()));
    stream.write("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Content-Length: " +
                     std::to_string(kBody.size()) + "\r\n\r\n" + kBody,
                 Cancel());
    std::string all;
    std::array<char, 4096> buffer;
    while (std::size_t n = stream.read(buffer, Cancel())) all.append(buffer.data(), n);
    CHECK_THAT(all, Catch::Contains("by socket"));

    CommandResult second =
        assay({"serve", "--model", "script:model.json", "--socket", path.string()});
    CHECK(second.exit.code == 64);
    CHECK_THAT(second.err, Catch::Contains("another server"));
    CHECK(served.stop() == 0);
    CHECK_FALSE(assay.exists("s.sock"));
}
