// Removal of trees as a hostile inside may leave them.
#include "assay/base/fs.h"
#include "catch.h"
#include "wire/tree.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace assay {

namespace {

constexpr int kDeep = 20'000;

// In memory where that can be had: a disk takes some milliseconds to remove a folder.
Path quick_folder() {
    return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
}

struct QuickTemp {
    Path path;
    QuickTemp() {
        std::string name = quick_folder() / "assay-tree.XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~QuickTemp() { remove_tree(path.string()); }
};

// folder/d/d/d/..., with a file and a link to `victim` at every hundredth level.
void make_chain(const Path& folder, const Path& victim, int depth) {
    RealFileSystem().make_folders(folder);
    int at = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < depth; i++) {
        REQUIRE(::mkdirat(at, "d", 0755) == 0);
        if (i % 100 == 0) {
            REQUIRE(::symlinkat(victim.c_str(), at, "link") == 0);
            ::close(::openat(at, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        }
        int next = ::openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        REQUIRE(next >= 0);
        ::close(at);
        at = next;
    }
    ::close(at);
}

struct FewDescriptors {
    rlimit before{};
    FewDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before);
        rlimit few{128, before.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
};

// How far one gets with whole paths: errno of the first that cannot be named.
int name_by_path(const std::string& path) {
    std::string deep = path;
    while (::access((deep + "/d").c_str(), F_OK) == 0) deep += "/d";
    return errno;
}

} // namespace

TEST_CASE("a chain of 20,000 folders is removed, with few descriptors and no link followed") {
    QuickTemp temp;
    Path victim = temp.path / "victim", chain = temp.path / "chain";
    RealFileSystem().make_folders(victim);
    RealFileSystem().write(victim / "precious", "x", 0644);
    make_chain(chain, victim, kDeep);
    FewDescriptors few;

    CHECK(name_by_path(chain.string()) == ENAMETOOLONG);
    std::error_code failed;
    std::filesystem::remove_all(chain, failed); // a descriptor a level
    CHECK(failed == std::errc::too_many_files_open);
    REQUIRE(std::filesystem::exists(chain));

    CHECK(remove_tree(chain.string()) == 0);
    CHECK_FALSE(std::filesystem::exists(chain));
    CHECK(RealFileSystem().read(victim / "precious", 10) == "x");
}

TEST_CASE("names that removal would use itself are in nobody's way") {
    QuickTemp temp;
    Path chain = temp.path / "chain";
    make_chain(chain, "/nowhere", 300);
    RealFileSystem files;
    for (int i = 0; i < 5; i++) {
        Path taken = chain / ("assay-deep-" + std::to_string(i));
        if (i % 2 == 0)
            files.write(taken, "x", 0644);
        else
            make_chain(taken, "/nowhere", 200);
    }
    CHECK(remove_tree(chain.string()) == 0);
    CHECK_FALSE(std::filesystem::exists(chain));
}

TEST_CASE("folders without permissions are removed; what is no folder, too") {
    QuickTemp temp;
    make_chain(temp.path / "a", "/nowhere", 3);
    ::chmod((temp.path / "a/d").c_str(), 0);
    CHECK(remove_tree((temp.path / "a").string()) == 0);
    CHECK(remove_tree((temp.path / "a").string()) == 0); // it is gone
    std::filesystem::create_symlink(temp.path, temp.path / "link");
    CHECK(remove_tree((temp.path / "link").string()) == 0);
    CHECK(std::filesystem::is_empty(temp.path));
    CHECK(remove_tree("/proc/self") != 0); // and the failure is told
}

} // namespace assay
