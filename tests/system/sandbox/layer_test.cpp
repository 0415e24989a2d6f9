// The writable layer as a tar: read back by the machine's own tar, and attacked from inside.
#include "catch.h"
#include "support.h"

#include <filesystem>
#include <fstream>

namespace assay::test {

namespace {

constexpr std::uint64_t kLimit = 16 << 20;

// What `tar OPTIONS` says of it; "FILE" in the options is the tar.
std::string read_tar(const std::string& bytes, const std::string& options) {
    TempFolder folder;
    Path file = folder.path() / "layer.tar";
    RealFileSystem().write(file, bytes, 0600);
    std::string command = "tar --numeric-owner -f " + file.string() + " " + options + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    std::string out;
    char buffer[4096];
    while (std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
    INFO(out);
    CHECK(::pclose(pipe) == 0);
    return out;
}

bool has(const std::string& text, const std::string& part) {
    INFO(text << "\nlacks " << part);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

std::string layer_of(Sandbox& box, std::uint64_t limit = kLimit) {
    LayerTar tar = box.layer_tar(limit, Cancel());
    REQUIRE(tar.bytes.has_value());
    CHECK(tar.size == tar.bytes->size());
    return *tar.bytes;
}

} // namespace

TEST_CASE("layer: what was made, changed and deleted, as the tar of an image layer") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    std::string longest(200, 'n');
    REQUIRE(sh(box, "mkdir -p /w/sub && echo one > /w/a && chmod 750 /w/a && ln /w/a /w/b && "
                    "ln -s a /w/link && mkfifo /w/fifo && echo two > /w/sub/" +
                        longest +
                        " && rm -r /etc/pam.d && rm -r /etc/security && "
                        "mkdir /etc/security && echo x > /etc/security/mine")
                .ok());
    const bool users = backend().capabilities().multi_user;
    if (users) REQUIRE(sh(box, "chown 1234:5678 /w/a").ok());
    std::string tar = layer_of(box);
    std::string list = read_tar(tar, "-tv");
    has(list, users ? "-rwxr-x--- 1234/5678 " : "-rwxr-x--- 0/0 ");
    has(list, " w/a\n");
    has(list, " w/b link to w/a\n");
    has(list, " w/link -> a\n");
    has(list, "prw-r--r-- 0/0 ");
    has(list, " w/sub/" + longest + "\n");
    has(list, " etc/.wh.pam.d\n");
    has(list, " etc/security/.wh..wh..opq\n");
    has(list, " etc/security/mine\n");
    CHECK(list.find("pam.d/") == std::string::npos);
    CHECK(list.find("ld.so.cache") == std::string::npos); // of the base, unchanged
    CHECK(read_tar(tar, "-xO w/a w/sub/" + longest) == "one\ntwo\n");
    CHECK(layer_of(box) == tar);
    CHECK(sh(box, "echo more >> /w/a; cat /w/b").out == "one\nmore\n"); // it goes on
    CHECK(layer_of(box) != tar);
    if (as_root()) { // another overlay
        REQUIRE(sh(box, "echo x > /usr/own; rm /usr/bin/true").ok());
        list = read_tar(layer_of(box), "-t");
        has(list, "usr/own\n");
        has(list, "usr/bin/.wh.true\n");
    }
}

TEST_CASE("layer: over the limit nothing is read, and the size is said") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    std::uint64_t empty = layer_of(box).size();
    REQUIRE(sh(box, "head -c 100000 /dev/zero > /f").ok());
    LayerTar tar = box.layer_tar(50'000, Cancel());
    CHECK_FALSE(tar.bytes.has_value());
    CHECK(tar.size > 100'000);
    CHECK(tar.size < empty + 102'000);
    CHECK(layer_of(box, tar.size).size() == tar.size); // just so
    CHECK_FALSE(box.layer_tar(tar.size - 1, Cancel()).bytes.has_value());
    REQUIRE(sh(box, "truncate -s 1T /sparse && truncate -s 4E /sparser; ls /sparse").ok());
    tar = box.layer_tar(kLimit, Cancel());
    CHECK_FALSE(tar.bytes.has_value());
    CHECK(tar.size > 1ull << 40);
}

TEST_CASE("layer: links lead nowhere, fifos do not block, and lies in names are refused") {
    TempFolder secret;
    std::filesystem::permissions(secret.path(), std::filesystem::perms(0755));
    std::ofstream(secret.path() / "secret") << "host secret";
    auto environment = host_environment();
    Sandbox& box = environment->main();
    REQUIRE(sh(box, "ln -s " + secret.path().string() + "/secret /link; ln -s " +
                        secret.path().string() +
                        " /dir; ln -s /proc/self/fd/0 /magic; mkfifo /p; "
                        "ln -s / /root2")
                .ok());
    std::string tar = layer_of(box);
    CHECK(tar.find("host secret") == std::string::npos);
    has(read_tar(tar, "-tv"), "dir -> " + secret.path().string() + "\n");

    REQUIRE(sh(box, "touch '/w.wh.fine' /.wh.etc").ok());
    CHECK_THROWS_WITH(layer_of(box), Catch::Contains("deletion"));
    REQUIRE(sh(box, "rm /.wh.etc").ok());
    CHECK_NOTHROW(layer_of(box));
    REQUIRE(
        sh(box, "i=0; while [ $i -lt 400 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done").ok());
    CHECK_THROWS_WITH(layer_of(box), Catch::Contains("too deep"));
    CHECK(sh(box, "echo lives").out == "lives\n");
}

TEST_CASE("layer: what runs stands still while it is read, and goes on") {
    if (!as_root()) {
        WARN("skipped: no writable cgroup to freeze with");
        return;
    }
    auto environment = host_environment();
    Sandbox& box = environment->main();
    REQUIRE(sh(box, "(while :; do echo x >> /busy; done) >/dev/null 2>&1 & for i in $(seq 100); do "
                    "test -s /busy && break; sleep 0.1; done")
                .ok());
    std::string tar = layer_of(box, 1 << 30);
    has(read_tar(tar, "-xO busy"), "x\n");
    CHECK(sh(box, "a=$(wc -c < /busy); for i in $(seq 100); do sleep 0.1; test $(wc -c < /busy) "
                  "-gt $a && exit 0; done; exit 1")
              .ok());
}

TEST_CASE("layer: a sandbox that had a checkpoint says that it has none") {
    auto environment = host_environment();
    environment->main().checkpoint(Cancel());
    try {
        environment->main().layer_tar(kLimit, Cancel());
        FAIL("it was read");
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Unsupported);
    }
}

} // namespace assay::test
