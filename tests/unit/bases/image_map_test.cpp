#include "assay/base/error.h"
#include "assay/sandboxes/base_image.h"
#include "catch.h"

using namespace assay;

TEST_CASE("an image map takes the first rule that matches") {
    ImageMap map = ImageMap::parse("# ours\n"
                                   "python:3.13-slim*  debian:trixie+python3 # newer\n"
                                   "\n"
                                   "*  host\r\n",
                                   "map.txt");
    CHECK(map.find("python:3.13-slim-bookworm") == "debian:trixie+python3");
    CHECK(map.find("ubuntu:24.04") == "host");
    CHECK(ImageMap::parse("a b", "x").find("c").empty());
    map.add("late", "never");
    CHECK(map.find("late") == "host");
}

TEST_CASE("a malformed image map line is named with its number") {
    for (const char* text : {"ok host\nonly-one\n", "ok host\na b c\n"}) {
        try {
            ImageMap::parse(text, "map.txt");
            FAIL("accepted");
        } catch (const Error& e) {
            CHECK(e.kind() == ErrorKind::Input);
            CHECK(e.message().find("map.txt:2:") == 0);
        }
    }
}
