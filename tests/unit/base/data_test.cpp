#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/hash.h"
#include "assay/base/random.h"
#include "assay/base/redact.h"
#include "catch.h"

#include <set>

using namespace assay;

TEST_CASE("SHA-256 agrees with FIPS 180-2's examples") {
    REQUIRE(sha256("abc").hex() ==
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 parts;
    parts.update("a");
    parts.update("bc");
    REQUIRE(parts.finish() == sha256("abc"));
    REQUIRE(sha256("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("base64 round trips and refuses rubbish") {
    for (std::string text : {"", "f", "fo", "foo", "foob"})
        REQUIRE(base64_decode(base64_encode(text)) == text);
    REQUIRE(base64_encode("foobar") == "Zm9vYmFy");
    REQUIRE_THROWS_AS(base64_decode("Zm9*"), Error);
    REQUIRE_THROWS_AS(base64_decode("Zm9"), Error);
}

TEST_CASE("Philox 4x32-10 gives the published vector for a zero key and counter") {
    CounterRandom random(0, 0);
    std::uint32_t words[4];
    random.fill(std::as_writable_bytes(std::span(words)));
    REQUIRE(words[0] == 0x6627e8d5u); // Random123, kat_vectors
    REQUIRE(words[1] == 0xe169c58du);
    REQUIRE(words[2] == 0xbc57ac4cu);
    REQUIRE(words[3] == 0x9b00dbd8u);
}

TEST_CASE("a seed key gives the same numbers again, another gives others") {
    CounterRandom a("7/hello/1/agent/0"), b("7/hello/1/agent/0"), c("7/hello/1/agent/1");
    std::uint64_t first = a.next();
    REQUIRE(first == b.next());
    REQUIRE(first != c.next());
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(a.below(10));
    REQUIRE(seen.size() == 10);
    REQUIRE(*seen.rbegin() == 9);
}

TEST_CASE("secrets are cleaned in every usual form, short ones are refused") {
    Redactor redactor;
    REQUIRE(redactor.add("OPENAI_API_KEY", "sk-live/+\"123456"));
    REQUIRE_FALSE(redactor.add("PIN", "1234"));
    std::string base64 = base64_encode("sk-live/+\"123456");
    std::string all =
        "a sk-live/+\"123456 b " + base64 + " c sk-live%2F%2B%22123456 d sk-live/+\\\"123456";
    std::string clean = redactor.clean(all);
    REQUIRE(clean.find("123456") == std::string::npos);
    REQUIRE(clean.find("[REDACTED:OPENAI_API_KEY]") != std::string::npos);
    REQUIRE(clean.find(base64) == std::string::npos);
    REQUIRE(redactor.clean("1234") == "1234");
}

TEST_CASE("names of secrets") {
    for (const char* name : {"OPENAI_API_KEY", "GITHUB_TOKEN", "db_password", "AUTH", "apiKeys"})
        REQUIRE(is_secret_name(name));
    for (const char* name : {"KEYBOARD", "TOKENIZERS_PARALLELISM", "AUTHOR", "PATH", "HOME"})
        REQUIRE_FALSE(is_secret_name(name));
}

TEST_CASE("a file is replaced whole or not at all") {
    TempFolder folder;
    RealFileSystem fs;
    Path file = folder.path() / "a.txt";
    fs.write(file, "one", 0600);
    fs.write(file, "two", 0600);
    REQUIRE(fs.read(file, 100) == "two");
    REQUIRE(fs.info(file)->mode == 0600);
    REQUIRE(fs.list(folder.path()).size() == 1);
    REQUIRE_THROWS_AS(fs.read(file, 2), Error);
    REQUIRE_FALSE(fs.info(folder.path() / "none"));
    try {
        fs.read(folder.path() / "none", 10);
        FAIL("no error");
    } catch (const Error& e) {
        REQUIRE(e.kind() == ErrorKind::Io);
        REQUIRE(e.message().find("none: No such file") != std::string::npos);
    }
}

TEST_CASE("an error renders what, where and what to do") {
    Error e = Error(ErrorKind::Input, "task.toml:3: no number").hint("write timeout_sec = 60");
    e.frame("loading task hello");
    REQUIRE(e.render() ==
            "task.toml:3: no number\n  while loading task hello\n  write timeout_sec = 60");
}
