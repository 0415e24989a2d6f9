#include "assay/base/error.h"
#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"
#include "bases/debian_base.h"
#include "bases/tree.h"
#include "catch.h"
#include "tar_maker.h"

#include <atomic>
#include <thread>

using namespace assay;
using namespace assay::bases;

namespace {
class NoRunner final : public LayerRunner {
  public:
    std::unique_ptr<Sandbox> start_on(const BaseImage&, const SandboxSpec&,
                                      const Cancel&) override {
        throw Error(ErrorKind::Internal, "no layer is needed here");
    }
    BaseImage seal(Sandbox&, const BaseImage& base, const Cancel&) override { return base; }
};

BaseSpec image(const std::string& reference) {
    return {BaseSpec::Kind::Image, reference, {}, {}};
}
} // namespace

TEST_CASE("images are mapped to bases and marked as substituted") {
    TempFolder area;
    std::string tar = (area.path() / "r.tar").string();
    write_text(tar, test::make_tar({{"usr/x", "1"}}));
    ImageMap map = ImageMap::parse("python:3.13* tar:" + tar + "\n", "map");
    auto maker = make_base_maker({.state = area.path(), .images = map});
    NoRunner runner;
    for (const char* reference :
         {"python:3.13-slim", "registry.test/library/python:3.13-slim@sha256:00"}) {
        BaseImage made = maker->make(image(reference), runner, Cancel());
        CHECK(made.record.asked == reference);
        CHECK(made.record.used == "tar:" + tar);
        CHECK(made.record.substituted);
    }
    CHECK_FALSE(maker->make({BaseSpec::Kind::Named, "tar:" + tar, {}, {}}, runner, Cancel())
                    .record.substituted);
    CHECK_FALSE(maker->make(image("assay/tar:" + tar), runner, Cancel()).record.substituted);
    try {
        maker->make(image("ubuntu:24.04"), runner, Cancel());
        FAIL("accepted");
    } catch (const Error& e) { // with a line that --image-map takes
        CHECK_THAT(e.hint(), Catch::Contains("--base NAME") && Catch::Contains("--image-map") &&
                                 Catch::Contains("`ubuntu:24.04 host`"));
    }
    auto forced = make_base_maker({.state = area.path(), .override_base = "tar:" + tar});
    BaseImage other = forced->make(image("ubuntu:24.04"), runner, Cancel());
    CHECK(other.record.substituted);
    BaseImage named = forced->make({}, runner, Cancel()); // what asks for nothing gets "host"
    CHECK(named.record.asked == "host");
    CHECK(named.record.used == "tar:" + tar);
    CHECK(named.record.substituted);
    BaseImage same = forced->make({BaseSpec::Kind::Named, "tar:" + tar, {}, {}}, runner, Cancel());
    CHECK_FALSE(same.record.substituted);
}

TEST_CASE("a base for everything that cannot be made is refused before anything asks for it") {
    TempFolder area;
    for (const char* bad : {"fedora", "debian:", "tar:absent.tar"}) {
        INFO(bad);
        CHECK_THROWS_AS(make_base_maker({.state = area.path(), .override_base = bad}), Error);
    }
}

TEST_CASE("unknown bases are named with what there is") {
    TempFolder area;
    auto maker = make_base_maker({.state = area.path()});
    NoRunner runner;
    try {
        maker->make({BaseSpec::Kind::Named, "fedora", {}, {}}, runner, Cancel());
        FAIL("accepted");
    } catch (const Error& e) {
        CHECK(e.hint().find("debian:SUITE") != std::string::npos);
    }
}

TEST_CASE("names of debian bases") {
    DebianName name = parse_debian_name("debian:trixie+python3+curl+curl");
    CHECK(name.suite == "trixie");
    CHECK(name.packages == std::vector<std::string>{"curl", "python3"});
    for (const char* bad :
         {"debian:", "debian:a b", "debian:x+", "debian:x+--option", "debian:../x"})
        CHECK_THROWS_AS(parse_debian_name(bad), Error);
}

TEST_CASE("one builder an entry at a time, and nothing half made") {
    TempFolder area;
    Cache cache(area.path());
    std::atomic<int> builds{0}, running{0}, most{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            Cache own(area.path());
            own.get("x", Cancel(), [&](const Path& part) {
                most = std::max(most.load(), ++running);
                std::this_thread::sleep_for(std::chrono::milliseconds(30));
                write_text(part / "f", "done");
                ++builds;
                --running;
            });
        });
    for (auto& thread : threads) thread.join();
    CHECK(builds == 1);
    CHECK(most == 1);
    CHECK_THROWS_AS(cache.get("y", Cancel(),
                              [](const Path& part) {
                                  write_text(part / "half", "");
                                  throw Error(ErrorKind::Io, "disk full");
                              }),
                    Error);
    CHECK(cache.find("y").empty());
    CHECK_FALSE(std::filesystem::exists(area.path() / "y.part"));
}

TEST_CASE("a waiting builder can be cancelled") {
    TempFolder area;
    Cache cache(area.path());
    Cancel cancel;
    cache.get("x", Cancel(), [&](const Path&) {
        std::thread waiter([&] {
            Cache other(area.path());
            CHECK_THROWS_AS(other.get("x", cancel, [](const Path&) {}), Interrupted);
        });
        cancel.cancel(Cause::User);
        waiter.join();
    });
}
