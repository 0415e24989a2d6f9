// The receiving end of get_folder against forged streams.
#include "assay/io/fd_stream.h"
#include "catch.h"
#include "local/transfer.h"

#include <filesystem>

namespace assay::local {

namespace {

using wire::Entry;
using wire::EntryHead;

std::string file(const std::string& path, const std::string& data) {
    return wire::encode({Entry::File, 0644, data.size(), path}) + data;
}
std::string end() {
    return wire::encode({Entry::End, 0, 0, {}});
}

std::vector<std::string> receive(const std::string& bytes, const Path& into,
                                 std::uint64_t limit = 1000) {
    auto [ours, theirs] = make_stream_pair();
    theirs->write(bytes, Cancel());
    theirs->close();
    return receive_tree(*ours, into, limit, Cancel());
}

} // namespace

TEST_CASE("a well-formed tree arrives") {
    TempFolder to;
    std::string skip = wire::encode({Entry::Skip, 0, 6, "l"}) + "a link";
    auto left_out =
        receive(wire::encode({Entry::Folder, 0755, 0, "d"}) + file("d/f", "x") + skip + end(),
                to.path() / "in");
    CHECK(RealFileSystem().read(to.path() / "in/d/f", 10) == "x");
    CHECK(left_out == std::vector<std::string>{"l (a link)"});
}

TEST_CASE("links that stay inside arrive as links, the others are named") {
    struct Case {
        std::string path, target;
        bool kept;
    };
    TempFolder to;
    std::string folders =
        wire::encode({Entry::Folder, 0755, 0, "a"}) + wire::encode({Entry::Folder, 0755, 0, "a/b"});
    const std::vector<Case> cases = {
        {"l1", "a/b", true},
        {"a/l2", "../a/./b/", true},
        {"a/b/l3", "../../f", true},
        {"l4", "nothing-there", true},
        {"l5", "/etc/passwd", false},
        {"l6", "..", false},
        {"a/l7", "../../f", false},
        // Through another link a name leads elsewhere, and so does ".." after it:
        {"a/b/up", "../..", true},
        {"l8", "a/b/up/../secret", false},
        {"l9", "a/..", false},
        {"l10", "", false},
        {"l11", std::string("a\0/..", 5), false},
    };
    std::string stream = folders;
    std::vector<std::string> expected;
    for (const Case& one : cases) {
        stream += wire::encode({Entry::Link, 0, one.target.size(), one.path}) + one.target;
        if (!one.kept) expected.push_back(one.path + " (a link out of the folder)");
    }
    Path in = to.path() / "outer/in";
    CHECK(receive(stream + end(), in) == expected);
    for (const Case& one : cases) {
        INFO(one.path);
        std::error_code none;
        CHECK(std::filesystem::is_symlink(in / one.path, none) == one.kept);
        if (one.kept) CHECK(std::filesystem::read_symlink(in / one.path) == one.target);
    }
    // What a check of the text alone would let through: "a/b/up/../secret" is "a/b/secret" to it.
    CHECK(Path("a/b/up/../secret").lexically_normal() == "a/b/secret");
    RealFileSystem().write(to.path() / "outer/secret", "x", 0644);
    CHECK(RealFileSystem().read(in / "a/b/up/../secret", 10) == "x");
}

TEST_CASE("a forged stream does not write through the links it made") {
    TempFolder to;
    std::string link = wire::encode({Entry::Link, 0, 1, "l"}) + "d";
    std::string folder = wire::encode({Entry::Folder, 0755, 0, "d"});
    CHECK_THROWS_AS(receive(folder + link + file("l/f", "x") + end(), to.path() / "in"), Error);
    CHECK(RealFileSystem().list(to.path() / "in/d").empty());
    receive(folder + link + file("l", "x") + end(), to.path() / "two"); // replaced, not opened
    CHECK(RealFileSystem().read(to.path() / "two/l", 10) == "x");
    CHECK_FALSE(std::filesystem::is_symlink(to.path() / "two/l"));
}

TEST_CASE("paths that lead out, and too much data are refused") {
    TempFolder to;
    for (const char* path : {"../evil", "/evil", "a/../../evil", "", ".", "..", "a//b"}) {
        INFO(path);
        CHECK_THROWS_AS(receive(file(path, "x") + end(), to.path() / "in"), Error);
    }
    CHECK_THROWS_AS(receive(file(std::string("a\0b", 3), "x") + end(), to.path() / "in"), Error);
    CHECK_THROWS_AS(receive(file(std::string(300, 'n'), "x") + end(), to.path() / "in"), Error);
    CHECK_THROWS_AS(receive(file("f", std::string(1001, 'x')) + end(), to.path() / "in"), Error);
    CHECK_THROWS_AS(receive(wire::encode({Entry::File, 0, ~0ull, "f"}), to.path() / "in"), Error);
    CHECK_THROWS_AS(receive(file("f", "x"), to.path() / "in"), Error); // no end
    CHECK(RealFileSystem().list(to.path()) == std::vector<std::string>{"in"});
}

TEST_CASE("a link that stands in the way on the host is not followed") {
    TempFolder to;
    Path victim = to.path() / "victim";
    RealFileSystem().make_folders(victim);
    RealFileSystem().make_folders(to.path() / "in");
    std::filesystem::create_directory_symlink(victim, to.path() / "in/d");
    CHECK_THROWS_AS(receive(file("d/f", "x") + end(), to.path() / "in"), Error);
    CHECK(RealFileSystem().list(victim).empty());
    RealFileSystem().write(to.path() / "in" / "d" / "naive", "x", 0644); // a plain path follows it
    CHECK(RealFileSystem().list(victim) == std::vector<std::string>{"naive"});
}

TEST_CASE("setuid bits do not come out") {
    TempFolder to;
    receive(wire::encode({Entry::File, 06777, 1, "f"}) + "x" + end(), to.path() / "in");
    CHECK(RealFileSystem().info(to.path() / "in/f")->mode == (0777 & ~022));
}

} // namespace assay::local
