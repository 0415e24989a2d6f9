#include "bases/apt_sources.h"
#include "catch.h"

using namespace assay::bases;

TEST_CASE("one-line apt sources") {
    auto sources = parse_sources_list("# deb http://x.test/a s main\n"
                                      "deb http://mirror.test/debian bookworm main contrib\n"
                                      "deb-src http://mirror.test/debian bookworm main\n"
                                      "deb [arch=amd64 signed-by=/k.gpg trusted=yes] "
                                      "https://b.test/apt any main # why\n"
                                      "deb [broken\n"
                                      "deb onlyone\n");
    REQUIRE(sources.size() == 2);
    CHECK(sources[0].lines() == "deb http://mirror.test/debian bookworm main contrib\n");
    CHECK(sources[1].lines() == "deb [signed-by=/k.gpg trusted=yes] https://b.test/apt any main\n");
}

TEST_CASE("deb822 apt sources") {
    auto sources = parse_deb822("Types: deb deb-src\n"
                                "# a comment inside\n"
                                "URIs: http://mirror.test/debian\n"
                                "Suites: bookworm\n bookworm-updates\n"
                                "Components: main\n"
                                "Signed-By: /usr/share/keyrings/k.gpg\n"
                                "\n"
                                "Types: deb-src\nURIs: http://s.test\nSuites: x\n"
                                "\n"
                                "Types: deb\nURIs: http://off.test\nSuites: x\nEnabled: no\n");
    REQUIRE(sources.size() == 1);
    CHECK(sources[0].suites == std::vector<std::string>{"bookworm", "bookworm-updates"});
    CHECK(find_archive(sources, "bookworm") == &sources[0]);
    CHECK(find_archive(sources, "sid") == nullptr);
}

TEST_CASE("sources and settings with credentials are left out") {
    CHECK(parse_sources_list("deb http://me:secret@m.test/d s main\n").empty());
    CHECK(acquire_settings("Acquire::http::Proxy \"http://u:p@proxy.test\";\n").empty());
    CHECK(acquire_settings("Acquire::Check-Date \"false\";\nDpkg::Options \"x\";\n"
                           "DPkg::Pre-Invoke {\"rm -rf /\"};\n") ==
          "Acquire::Check-Date \"false\";\n");
}
