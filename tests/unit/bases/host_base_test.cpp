#include "assay/base/error.h"
#include "bases/host_base.h"
#include "bases/tree.h"
#include "catch.h"
#include "skip.h"

#include <sys/stat.h>

using namespace assay;
using namespace assay::bases;

namespace {
// A machine with secrets where machines have them.
void make_machine(const Path& root) {
    make_folder(root / "usr/bin");
    make_link(root / "bin", "usr/bin");
    make_link(root / "lib64", "usr/lib64");
    write_text(root / "etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001:SECRET::\n");
    write_text(root / "etc/shadow", "root:SECRET:1::::::\n");
    write_text(root / "etc/ssl/private/key.pem", "SECRET");
    write_text(root / "etc/ssl/certs/ca.pem", "public");
    write_text(root / "etc/ssh/ssh_host_key", "SECRET");
    write_text(root / "etc/npmrc", "token=SECRET");
    write_text(root / "etc/profile", "export TOKEN=SECRET");
    write_text(root / "etc/apt/auth.conf", "SECRET");
    write_text(root / "etc/apt/sources.list", "deb http://me:SECRET@m.test/d s main\n"
                                              "deb http://m.test/debian s main\n");
    write_text(root / "root/.ssh/id", "SECRET");
    write_text(root / "home/alice/diary", "SECRET");
    write_text(root / "var/lib/dpkg/status", "Package: sh\n");
    make_link(root / "etc/alternatives/awk", "/usr/bin/mawk");
}

bool holds(const Path& root, const std::string& word) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
        if (entry.is_regular_file() && !entry.is_symlink() &&
            RealFileSystem().read(entry.path(), 64 << 20).find(word) != std::string::npos)
            return true;
    return false;
}
} // namespace

TEST_CASE("the base host holds what programs need and nothing private") {
    TempFolder machine, state;
    make_machine(machine.path());
    REQUIRE(holds(machine.path(), "SECRET"));
    Cache cache(state.path());
    BaseImage image = make_host_base(cache, machine.path(), Cancel());
    REQUIRE(image.mounts.size() == 2);
    CHECK(image.mounts[1].at == "/usr");
    CHECK(image.mounts[1].lowers == std::vector<Path>{machine.path() / "usr"});
    CHECK_FALSE(image.record.substituted);
    Path root = image.mounts[0].lowers.at(0);
    CHECK_FALSE(holds(root, "SECRET"));
    RealFileSystem files;
    CHECK(std::filesystem::read_symlink(root / "bin") == "usr/bin");
    CHECK(std::filesystem::read_symlink(root / "etc/alternatives/awk") == "/usr/bin/mawk");
    CHECK(files.read(root / "etc/ssl/certs/ca.pem", 100) == "public");
    CHECK(files.read(root / "var/lib/dpkg/status", 100) == "Package: sh\n");
    CHECK(files.read(root / "etc/passwd", 10000).find("agent:x:1000:1000:") != std::string::npos);
    CHECK(files.read(root / "etc/apt/sources.list", 1000) == "deb http://m.test/debian s main\n");
    CHECK(files.info(root / "tmp")->mode == 01777);
}

TEST_CASE("the base host is made once and again when packages change") {
    TempFolder machine, state;
    make_machine(machine.path());
    Cache cache(state.path());
    BaseImage first = make_host_base(cache, machine.path(), Cancel());
    BaseImage again = make_host_base(cache, machine.path(), Cancel());
    CHECK(first.mounts[0].lowers == again.mounts[0].lowers);
    CHECK(first.record.digest == again.record.digest);
    write_text(machine.path() / "var/lib/dpkg/status", "Package: sh\n\nPackage: gcc\n");
    BaseImage later = make_host_base(cache, machine.path(), Cancel());
    CHECK(first.mounts[0].lowers != later.mounts[0].lowers);
    CHECK(first.record.digest != later.record.digest);
}

TEST_CASE("a machine without a merged /usr is refused") {
    TempFolder machine, state;
    make_machine(machine.path());
    std::filesystem::remove(machine.path() / "bin");
    make_folder(machine.path() / "bin");
    Cache cache(state.path());
    CHECK_THROWS_AS(make_host_base(cache, machine.path(), Cancel()), Error);
    // A failed build leaves no entry behind.
    for (const auto& entry : std::filesystem::directory_iterator(state.path()))
        CHECK(entry.path().extension() == ".lock");
}

TEST_CASE("this machine's own base host", "[host]") {
    TempFolder state;
    Cache cache(state.path());
    BaseImage image;
    try {
        image = make_host_base(cache, "/", Cancel());
    } catch (const Error& e) {
        test::skip(e.message());
        return;
    }
    Path root = image.mounts[0].lowers.at(0);
    CHECK(std::filesystem::exists(root / "etc/ld.so.cache"));
    CHECK(std::filesystem::is_empty(root / "root"));
    CHECK_FALSE(std::filesystem::exists(root / "etc/ssh"));
    CHECK_FALSE(std::filesystem::exists(root / "etc/ssl/private"));
}
