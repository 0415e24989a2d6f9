#include "assay/base/error.h"
#include "assay/net/url.h"
#include "catch.h"

using namespace assay;

TEST_CASE("urls are taken apart") {
    Url url = parse_url("HTTPS://User:p%40ss@Example.ORG:8443/v1/chat?x=1#part");
    REQUIRE(url.scheme == "https");
    REQUIRE(url.userinfo == "User:p@ss");
    REQUIRE(url.host == "example.org");
    REQUIRE(url.port == 8443);
    REQUIRE(url.target == "/v1/chat?x=1");
    REQUIRE(url.authority() == "example.org:8443");
    REQUIRE(url.safe_text() == "https://example.org:8443/v1/chat");

    REQUIRE(parse_url("http://h").target == "/");
    REQUIRE(parse_url("http://h?q").target == "/?q");
    REQUIRE(parse_url("http://h:80/").authority() == "h");
    REQUIRE(parse_url("https://h").port == 443);
    REQUIRE(parse_url("http://[::1]:81/x").host == "::1");
    REQUIRE(parse_url("http://[::1]:81/x").authority() == "[::1]:81");
    REQUIRE(parse_url("http://a@b@host/").host == "host"); // the last @ counts
}

TEST_CASE("what is not a url is refused, without showing it") {
    for (std::string text :
         {"", "host", "ftp://h/", "http://", "http:///x", "http://h:0", "http://h:70000",
          "http://h:8x", "http://[::1", "http://[::1]x/", "http://h /", "http://h/\r\nX: y",
          "http://h\\evil/", "http://[zz]/"}) {
        INFO(text);
        REQUIRE_THROWS_AS(parse_url(text), Error);
    }
    try {
        parse_url("http://user:secret@h:99999/");
        FAIL("parsed");
    } catch (const Error& e) {
        REQUIRE(e.message().find("secret") == std::string::npos);
    }
}

TEST_CASE("percent coding") {
    REQUIRE(percent_decode("a%20b%zz%4") == "a b%zz%4");
    REQUIRE(percent_encode("a b/ü") == "a%20b%2F%C3%BC");
}
