#include "assay/base/error.h"
#include "bases/tar_base.h"
#include "bases/tar_extract.h"
#include "bases/tree.h"
#include "catch.h"
#include "tar_maker.h"

using namespace assay;
using namespace assay::bases;
using assay::test::make_tar;
using assay::test::TarEntry;

namespace {
std::string refusal(const std::vector<TarEntry>& entries, const Path& into,
                    const TarLimits& limits = {}) {
    try {
        extract_tar_bytes(make_tar(entries), into, limits);
    } catch (const Error& e) {
        return e.message();
    }
    return "";
}
} // namespace

TEST_CASE("an archive is extracted with modes and links") {
    TempFolder out;
    TarResult result = extract_tar_bytes(make_tar({{"usr/", "", AE_IFDIR, false, 0755},
                                                   {"locked/", "", AE_IFDIR, false, 0555},
                                                   {"locked/in", "deep"},
                                                   {"/usr/bin/tool", "#!x", AE_IFREG, false, 0755},
                                                   {"bin", "usr/bin", AE_IFLNK},
                                                   {"usr/bin/same", "usr/bin/tool", AE_IFREG, true},
                                                   {"absolute", "/etc/passwd", AE_IFLNK},
                                                   {"dev/null", "", AE_IFCHR}},
                                                  true),
                                         out.path(), {});
    RealFileSystem files;
    CHECK(files.read(out.path() / "usr/bin/same") == "#!x");
    CHECK(files.info(out.path() / "usr/bin/tool")->mode == 0755);
    CHECK(files.info(out.path() / "locked")->mode == 0555);
    CHECK(files.read(out.path() / "locked/in") == "deep");
    CHECK(std::filesystem::read_symlink(out.path() / "bin") == "usr/bin");
    CHECK(result.left_out == std::vector<std::string>{"dev/null"});
    std::filesystem::permissions(out.path() / "locked", std::filesystem::perms::owner_all);
}

TEST_CASE("an archive cannot write outside of its folder") {
    TempFolder area;
    make_folder(area.path() / "root");
    write_text(area.path() / "victim", "safe");
    Path root = area.path() / "root";
    std::string outside = (area.path() / "victim").string();
    CHECK(refusal({{"../victim", "evil"}}, root) == "tar entry '../victim': has '..'");
    CHECK(refusal({{"a/../../victim", "evil"}}, root).find("has '..'") != std::string::npos);
    // A link to the outside, then an entry through it.
    CHECK(refusal({{"way", "..", AE_IFLNK}, {"way/victim", "evil"}}, root)
              .find("passes through a link") != std::string::npos);
    CHECK(refusal({{"direct", outside, AE_IFLNK}, {"direct", "evil"}}, root).empty());
    CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(root / "direct")));
    CHECK_FALSE(refusal({{"hard", "../victim", AE_IFREG, true}}, root).empty());
    CHECK_FALSE(refusal({{"through", "way/victim", AE_IFREG, true}}, root).empty());
    CHECK(RealFileSystem().read(area.path() / "victim") == "safe");
}

TEST_CASE("size and count of an archive are limited") {
    TempFolder out;
    std::string big(5000, 'x');
    CHECK(refusal({{"a", big}, {"b", big}}, out.path(), {.bytes = 8000, .entries = 10})
              .find("larger than") != std::string::npos);
    CHECK(refusal({{"c", ""}, {"d", ""}}, out.path(), {.bytes = 8000, .entries = 1})
              .find("more than 1 entries") != std::string::npos);
    CHECK_THROWS_AS(extract_tar_bytes("not a tar at all", out.path(), {}), Error);
}

TEST_CASE("a root tar is a base") {
    TempFolder area;
    write_text(area.path() / "r.tar", make_tar({{"usr/bin/x", "1"}}));
    write_text(area.path() / "other.tar", make_tar({{"manifest.json", "[]"}}));
    Cache cache(area.path() / "cache");
    BaseImage image = make_tar_base("tar:" + (area.path() / "r.tar").string(), cache, Cancel());
    REQUIRE(image.mounts.size() == 1);
    CHECK(RealFileSystem().read(image.mounts[0].lowers.at(0) / "usr/bin/x") == "1");
    CHECK_THROWS_AS(make_tar_base("tar:" + (area.path() / "other.tar").string(), cache, Cancel()),
                    Error);
    CHECK_THROWS_AS(make_tar_base("tar:/no/such/file", cache, Cancel()), Error);
}
