#include "bases/docker/patterns.h"
#include "catch.h"

using namespace assay::bases;

TEST_CASE("path patterns") {
    struct Row {
        const char* pattern;
        const char* path;
        bool matches;
    };
    for (const Row& row : {
             Row{"*.txt", "a.txt", true},
             {"*.txt", "d/a.txt", false},
             {"d/*.txt", "d/a.txt", true},
             {"**/*.txt", "a.txt", true},
             {"**/*.txt", "x/y/a.txt", true},
             {"a/**/b", "a/b", true},
             {"a/**/b", "a/x/y/b", true},
             {"a/**/b", "a/x/y/c", false},
             {"?[a-c]", "xb", true},
             {"[^a]b", "ab", false},
             {"[]x]", "]", true},
             {"[a", "[a", true},
             {"\\*", "*", true},
             {"\\*", "x", false},
             {"/a/./b", "a/b", true},
             {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
         }) {
        INFO(row.pattern << " on " << row.path);
        CHECK(path_match(row.pattern, row.path) == row.matches);
    }
}

TEST_CASE("the last matching rule of .dockerignore decides") {
    auto rules = IgnoreRules::parse("# comment\nbuild\n**/*.o\n!keep.o\n*.md\n!README.md\n");
    CHECK(rules.ignores("build"));
    CHECK(rules.ignores("build/a/b"));
    CHECK_FALSE(rules.ignores("src/build.c"));
    CHECK(rules.ignores("src/x.o"));
    CHECK_FALSE(rules.ignores("keep.o"));
    CHECK(rules.ignores("NOTES.md"));
    CHECK_FALSE(rules.ignores("README.md"));
    CHECK(rules.has_exceptions());
}
