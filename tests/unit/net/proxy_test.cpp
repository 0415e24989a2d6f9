#include "catch.h"
#include "peer.h"

using namespace assay;
using namespace assay::test;

namespace {
bool goes(const ProxySettings& settings, const std::string& url) {
    return settings.proxy_for(parse_url(url)).has_value();
}
} // namespace

TEST_CASE("which urls go to the proxy") {
    ProxySettings settings{"http://p:3128", "p:3129",
                           "example.org, .sub.test,10.0.0.0/8,::2, host:8080"};
    REQUIRE(goes(settings, "http://other.net/"));
    REQUIRE(settings.proxy_for(parse_url("https://other.net/"))->port == 3129);
    REQUIRE_FALSE(goes(settings, "http://example.org/"));
    REQUIRE_FALSE(goes(settings, "http://www.EXAMPLE.org/"));
    REQUIRE(goes(settings, "http://notexample.org/"));
    REQUIRE(goes(settings, "http://sub.test/"));
    REQUIRE_FALSE(goes(settings, "http://a.sub.test/"));
    REQUIRE_FALSE(goes(settings, "http://10.1.2.3/"));
    REQUIRE(goes(settings, "http://11.1.2.3/"));
    REQUIRE_FALSE(goes(settings, "http://[::2]/"));
    REQUIRE_FALSE(goes(settings, "http://host:8080/"));
    REQUIRE(goes(settings, "http://host:8081/"));
    for (std::string loopback : {"localhost", "127.0.0.1", "127.9.9.9", "[::1]"})
        REQUIRE_FALSE(goes(settings, "http://" + loopback + "/"));
    settings.no_proxy = "*";
    REQUIRE_FALSE(goes(settings, "http://other.net/"));
    REQUIRE_FALSE(goes(ProxySettings{}, "http://other.net/"));
}

TEST_CASE("plain http through a proxy asks for the whole url") {
    std::string seen;
    Peer proxy({[&](FdStream& stream) {
        seen = read_head(stream);
        stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", patience());
    }});
    HttpClientSettings settings = direct();
    settings.proxy.http = "http://me:word@127.0.0.1:" + std::to_string(proxy.port());
    HttpClient client(settings);
    REQUIRE(client.send("http://no-such-host.invalid/x?y", {}, {}, patience()).body == "ok");
    REQUIRE(seen.starts_with("GET http://no-such-host.invalid/x?y HTTP/1.1\r\n"));
    REQUIRE(seen.find("Host: no-such-host.invalid\r\n") != seen.npos);
    REQUIRE(seen.find("Proxy-Authorization: Basic bWU6d29yZA==\r\n") != seen.npos);
}

TEST_CASE("a proxy that refuses the tunnel is a connect failure") {
    std::string seen;
    Peer proxy({[&](FdStream& stream) {
        seen = read_head(stream);
        stream.write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
                     patience());
    }});
    HttpClientSettings settings = direct();
    settings.proxy.https = proxy.url();
    HttpClient client(settings);
    try {
        client.send("https://no-such-host.invalid/", {}, {}, patience());
        FAIL("connected");
    } catch (const HttpError& e) {
        REQUIRE(e.failure() == HttpFailure::Connect);
        REQUIRE(e.message().find("407") != std::string::npos);
    }
    REQUIRE(seen.starts_with("CONNECT no-such-host.invalid:443 HTTP/1.1\r\n"));
}
