#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/net/http_server.h"
#include "assay/net/tls.h"
#include "catch.h"
#include "certificates.h"
#include "peer.h"

#include <atomic>
#include <cstdlib>
#include <thread>

using namespace assay;
using namespace assay::test;
using namespace std::chrono_literals;

namespace {

struct Pair {
    std::unique_ptr<TlsStream> client, server;
};

Pair connect_pair(const std::string& host, const CertificateAuthority& ca,
                  const std::string& certificate_names, std::unique_ptr<FdStream> a,
                  std::unique_ptr<FdStream> b) {
    Identity identity = ca.issue(certificate_names);
    auto context = TlsContext::server(identity.certificate_pem, identity.key_pem);
    Pair pair;
    std::thread server([&] {
        try {
            pair.server = TlsStream::accept(std::move(b), context, patience());
        } catch (const Error&) {
        } // the client refused us
    });
    try {
        pair.client =
            TlsStream::connect(std::move(a), TlsContext::client(ca.pem()), host, patience());
    } catch (...) {
        server.join();
        throw;
    }
    server.join();
    return pair;
}

Pair connect_pair(const std::string& host, const CertificateAuthority& ca,
                  const std::string& certificate_names) {
    auto [a, b] = make_stream_pair();
    return connect_pair(host, ca, certificate_names, std::move(a), std::move(b));
}

std::string read_all(Stream& stream) {
    std::string all;
    std::array<char, 4096> buffer;
    while (std::size_t n = stream.read(buffer, patience())) all.append(buffer.data(), n);
    return all;
}

} // namespace

TEST_CASE("tls carries data both ways at the same time, and an orderly end") {
    CertificateAuthority ca;
    Pair pair = connect_pair("service.test", ca, "DNS:service.test");
    std::string up(700'000, 'u'), down(900'000, 'd');
    std::string at_server; // Catch's assertions are for one thread
    std::thread server_reader([&] { at_server = read_all(*pair.server); });
    std::thread server_writer([&] {
        pair.server->write(down, patience());
        pair.server->shutdown_write();
    });
    std::thread client_writer([&] {
        pair.client->write(up, patience());
        pair.client->shutdown_write();
    });
    REQUIRE(read_all(*pair.client) == down);
    server_reader.join();
    server_writer.join();
    client_writer.join();
    REQUIRE(at_server == up);
}

TEST_CASE("a connection that is cut is an error, not an end") {
    CertificateAuthority ca;
    auto [a, b] = make_stream_pair();
    FdStream* wire = b.get();
    Pair pair = connect_pair("service.test", ca, "DNS:service.test", std::move(a), std::move(b));
    pair.server->write("half", patience());
    wire->close(); // as an attacker would, without close_notify
    std::array<char, 16> buffer;
    REQUIRE(pair.client->read(buffer, patience()) == 4);
    REQUIRE_THROWS_AS(pair.client->read(buffer, patience()), TlsError);
}

TEST_CASE("close from another thread wakes a blocked reader") {
    CertificateAuthority ca;
    Pair pair = connect_pair("service.test", ca, "DNS:service.test");
    std::thread reader([&] { REQUIRE(read_all(*pair.client).empty()); });
    std::this_thread::sleep_for(5ms);
    pair.client->close();
    reader.join();
}

TEST_CASE("close does not wait for a writer whose peer does not read") {
    CertificateAuthority ca;
    Pair pair = connect_pair("service.test", ca, "DNS:service.test");
    std::thread writer([&] {
        REQUIRE_THROWS_AS(pair.client->write(std::string(8'000'000, 'w'), patience()), Error);
    });
    std::this_thread::sleep_for(50ms);
    pair.client->close();
    writer.join();
}

TEST_CASE("certificates are verified: chain, name, address and dates") {
    CertificateAuthority ca, other;
    REQUIRE_NOTHROW(connect_pair("a.test", ca, "DNS:a.test"));
    REQUIRE_NOTHROW(connect_pair("127.0.0.1", ca, "IP:127.0.0.1"));
    REQUIRE_THROWS_WITH(connect_pair("b.test", ca, "DNS:a.test"), Catch::Contains("mismatch"));
    REQUIRE_THROWS_WITH(connect_pair("127.0.0.2", ca, "IP:127.0.0.1"), Catch::Contains("mismatch"));
    auto refused = [&](const Identity& identity) { // the message of the client
        auto context = TlsContext::server(identity.certificate_pem, identity.key_pem);
        auto [a, b] = make_stream_pair();
        bool server_failed = false;
        std::thread server([&, stream = std::move(b)]() mutable {
            try {
                TlsStream::accept(std::move(stream), context, patience());
            } catch (const Error&) {
                server_failed = true;
            }
        });
        std::string message;
        try {
            TlsStream::connect(std::move(a), TlsContext::client(ca.pem()), "a.test", patience());
        } catch (const TlsError& e) {
            message = e.message();
        }
        server.join();
        REQUIRE(server_failed);
        return message;
    };
    REQUIRE_THAT(refused(other.issue("DNS:a.test")), Catch::Contains("certificate"));
    REQUIRE_THAT(refused(ca.issue("DNS:a.test", -3600)), Catch::Contains("expired"));
}

TEST_CASE("https end to end, with kept connections and without trust") {
    CertificateAuthority ca;
    Identity identity = ca.issue("IP:127.0.0.1");
    HttpServerOptions options;
    options.tls = TlsContext::server(identity.certificate_pem, identity.key_pem);
    HttpServer server(
        listen_loopback(),
        [](const HttpRequest& request, ResponseWriter& writer) {
            writer.send({200, "", {}, request.method + " " + request.target});
        },
        options);
    std::string url = "https://127.0.0.1:" + std::to_string(server.port()) + "/x";
    HttpClientSettings settings = direct();
    settings.ca_pem = ca.pem();
    HttpClient client(settings);
    for (int i = 0; i < 3; ++i) REQUIRE(client.send(url, {}, {}, patience()).body == "GET /x");
    HttpClient distrustful(direct());
    try {
        distrustful.send(url, {}, {}, patience());
        FAIL("trusted");
    } catch (const HttpError& e) {
        REQUIRE(e.failure() == HttpFailure::Tls);
    }
    server.stop(); // closes the kept connection; the client must notice
    REQUIRE_THROWS_AS(client.send(url, {}, {}, patience()), HttpError);
}

TEST_CASE("the system's certificates are trusted, from where the environment says") {
    CertificateAuthority ca;
    TempFolder folder;
    RealFileSystem().write(folder.path() / "ca.pem", ca.pem(), 0644);
    auto trusts = [&] {
        auto [a, b] = make_stream_pair();
        Identity identity = ca.issue("DNS:a.test");
        auto context = TlsContext::server(identity.certificate_pem, identity.key_pem);
        std::thread server([&, stream = std::move(b)]() mutable {
            try {
                TlsStream::accept(std::move(stream), context, patience());
            } catch (const Error&) {
                // The client refused.
            }
        });
        bool good = true;
        try {
            TlsStream::connect(std::move(a), TlsContext::client(), "a.test", patience());
        } catch (const TlsError&) {
            good = false;
        }
        server.join();
        return good;
    };
    REQUIRE_FALSE(trusts());
    const char* before = std::getenv("SSL_CERT_FILE");
    ::setenv("SSL_CERT_FILE", (folder.path() / "ca.pem").c_str(), 1);
    REQUIRE(trusts());
    if (before != nullptr)
        ::setenv("SSL_CERT_FILE", before, 1);
    else
        ::unsetenv("SSL_CERT_FILE");
}

TEST_CASE("https to a server that speaks something else is a tls failure") {
    Peer peer({[](FdStream& stream) { stream.write("HTTP/1.1 400 Bad\r\n\r\n", patience()); }});
    HttpClient client(direct());
    try {
        client.send("https://127.0.0.1:" + std::to_string(peer.port()), {}, {}, patience());
        FAIL("spoke");
    } catch (const HttpError& e) {
        REQUIRE(e.failure() == HttpFailure::Tls);
    }
}

TEST_CASE("https through a proxy tunnel") {
    CertificateAuthority ca;
    Identity identity = ca.issue("DNS:inner.test");
    auto context = TlsContext::server(identity.certificate_pem, identity.key_pem);
    Peer proxy({[&](FdStream& stream) {
        REQUIRE(read_head(stream).starts_with("CONNECT inner.test:443 HTTP/1.1\r\n"));
        stream.write("HTTP/1.1 200 Established\r\n\r\n", patience());
        auto tls = TlsStream::accept(std::make_unique<FdStream>(duplicate(stream.poll_fd())),
                                     context, patience());
        read_head(*tls);
        tls->write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ninside", patience());
    }});
    HttpClientSettings settings = direct();
    settings.ca_pem = ca.pem();
    settings.proxy.https = proxy.url();
    REQUIRE(HttpClient(settings).send("https://inner.test/", {}, {}, patience()).body == "inside");
}
