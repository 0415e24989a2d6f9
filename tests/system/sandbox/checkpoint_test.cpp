#include "catch.h"
#include "skip.h"
#include "support.h"

#include <filesystem>

namespace assay::test {

TEST_CASE("a checkpoint holds the files, and both it and the sandbox go on") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    Cancel cancel;
    REQUIRE(sh(box, "mkdir /w && echo one > /w/a && echo kept > /w/b && rm -rf /etc/pam.d && "
                    "ln -s a /w/link")
                .ok());
    const bool users = backend().capabilities().multi_user;
    if (users) REQUIRE(sh(box, "chown 1000:1000 /w/b").ok());
    auto first = box.checkpoint(cancel);
    CHECK(first->depth() == 1);
    REQUIRE(sh(box, "cat /w/a").out == "one\n");
    REQUIRE(sh(box, "echo two > /w/a; rm /w/b").ok());
    auto second = box.checkpoint(cancel);
    CHECK(second->depth() == 2);
    CHECK(first->digest() != second->digest());

    auto from_first = backend().start_from({}, first, cancel);
    CHECK(sh(from_first->main(), "cat /w/a /w/b; readlink /w/link; stat -c %u /w/b; ls "
                                 "/etc/pam.d 2>&1 | wc -l")
              .out == (users ? "one\nkept\na\n1000\n1\n" : "one\nkept\na\n0\n1\n"));
    REQUIRE(sh(from_first->main(), "echo changed > /w/a").ok());
    auto from_second = backend().start_from({}, second, cancel);
    CHECK(sh(from_second->main(), "cat /w/a; ls /w").out == "two\na\nlink\n");
    CHECK(sh(box, "cat /w/a").out == "two\n");
    CHECK(sh(backend().start_from({}, first, cancel)->main(), "cat /w/a").out == "one\n");
}

TEST_CASE("a checkpoint leaves what was changed at the root and in /etc as it is") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    REQUIRE(sh(box, "echo 10.0.0.1 extra >> /etc/hosts; chmod 750 / /etc; echo x > /etc/hostname")
                .ok());
    std::string look = "tail -1 /etc/hosts; stat -c %a / /etc; cat /etc/hostname";
    std::string before = sh(box, look).out;
    REQUIRE(before == "10.0.0.1 extra\n750\n750\nx\n");
    auto checkpoint = box.checkpoint(Cancel());
    CHECK(sh(box, look).out == before);
    CHECK(sh(backend().start_from({}, checkpoint, Cancel())->main(), look).out == before);
}

TEST_CASE("a checkpoint that the inside has made impossible leaves the sandbox as it is") {
    TempFolder shown;
    std::filesystem::permissions(shown.path(), std::filesystem::perms(0755));
    RealFileSystem().write(shown.path() / "file", "shown\n", 0644);
    SandboxSpec spec;
    spec.folders_ro = {{shown.path(), "/opt/kit/deep"}};
    auto environment = host_environment(spec);
    Sandbox& box = environment->main();
    REQUIRE(sh(box, "echo mine > /mine && mv /opt/kit /opt/moved").ok());
    std::string in_its_place = GENERATE("ln -s /etc /opt/kit", "touch /opt/kit",
                                        "mkdir /opt/kit && ln -s /etc /opt/kit/deep");
    REQUIRE(sh(box, in_its_place).ok());
    for (int again = 0; again < 2; ++again)
        CHECK_THROWS_WITH(box.checkpoint(Cancel()), Catch::Contains("/opt/kit/deep"));
    CHECK(sh(box, "cat /mine /opt/moved/deep/file").out == "mine\nshown\n");
    REQUIRE(sh(box, "rm -r /opt/kit").ok()); // with nothing there a folder is made
    auto checkpoint = box.checkpoint(Cancel());
    CHECK(sh(box, "cat /mine /opt/kit/deep/file").out == "mine\nshown\n");
    EnvironmentSpec again;
    again.sandboxes = {spec};
    auto from = backend().start_from(again, checkpoint, Cancel());
    CHECK(sh(from->main(), "cat /mine /opt/kit/deep/file").out == "mine\nshown\n");
}

TEST_CASE("more layers than fit into 255 bytes of a mount option") {
    if (!as_root()) {
        skip("the layers are made by hand, as root");
        return;
    }
    TempFolder folder;
    std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
    BaseImage base = options().bases->make(BaseSpec(), backend(), Cancel());
    for (int i = 0; i < 150; i++) {
        Path layer = folder.path() / std::to_string(i);
        RealFileSystem().make_folders(layer);
        RealFileSystem().write(layer / ("f" + std::to_string(i)), "x", 0644);
        std::filesystem::permissions(layer, std::filesystem::perms(0755));
        base.mounts[0].lowers.insert(base.mounts[0].lowers.begin(), layer);
    }
    SandboxSpec spec;
    spec.name = "main";
    auto box = backend().start_on(base, spec, Cancel());
    CHECK(sh(*box, "ls / | grep -c '^f[0-9]'").out == "150\n");
}

TEST_CASE("with processes running the changed files are copied while they are frozen") {
    if (!as_root()) {
        skip("no writable cgroup to freeze with");
        return;
    }
    auto environment = host_environment();
    Sandbox& box = environment->main();
    Cancel cancel;
    REQUIRE(sh(box, "echo before > /f; (while :; do echo x >> /busy; sleep 0.01; done) >/dev/null "
                    "2>&1 & for i in $(seq 100); do test -s /busy && break; sleep 0.1; done")
                .ok());
    auto checkpoint = box.checkpoint(cancel);
    REQUIRE(sh(box, "echo after > /f").ok());
    CHECK(sh(box, "a=$(wc -c < /busy); for i in $(seq 100); do sleep 0.1; test $(wc -c < /busy) "
                  "-gt $a && exit 0; done; exit 1")
              .ok()); // it was thawed and goes on
    auto copy = backend().start_from({}, checkpoint, cancel);
    CHECK(sh(copy->main(), "cat /f").out == "before\n");
    CHECK(sh(copy->main(), "ls /proc | grep -c '^[0-9]'").out != "");
}

TEST_CASE("the digest follows content, modes and owners, and nothing else") {
    Cancel cancel;
    auto digest = [&](const std::string& command) {
        auto environment = host_environment();
        REQUIRE(sh(environment->main(), command).ok());
        return environment->main().checkpoint(cancel)->digest().hex();
    };
    std::string base = digest("echo x > /f");
    CHECK(base == digest("echo y > /g; rm /g; echo x > /f"));
    CHECK(base == digest("echo x > /f; touch -d 2001-01-01 /f"));
    CHECK(base != digest("echo z > /f"));
    CHECK(base != digest("echo x > /f; chmod 600 /f"));
    if (backend().capabilities().multi_user) CHECK(base != digest("echo x > /f; chown 7 /f"));
}

TEST_CASE("a long chain is flattened and still shows the same files") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    Cancel cancel;
    REQUIRE(sh(box, "mkdir -p /d/sub; echo 0 > /d/sub/f; echo gone > /gone; rm /etc/shells").ok());
    std::shared_ptr<Checkpoint> last;
    for (int i = 1; i <= 34; i++) {
        std::string n = std::to_string(i);
        std::string extra = i == 5    ? "; rm /gone"
                            : i == 10 ? "; rm -rf /d/sub; mkdir /d/sub"
                            : i == 20 ? "; rm -rf /d; mkdir /d; echo new > /d/n"
                                      : "";
        REQUIRE(sh(box, "echo " + n + " > /n" + n + extra).ok());
        last = box.checkpoint(cancel);
        CHECK(last->depth() <= 32);
    }
    auto copy = backend().start_from({}, last, cancel);
    CHECK(sh(copy->main(), "cat /n1 /n34; ls /d; ls /gone /etc/shells 2>/dev/null").out ==
          "1\n34\nn\n");
}

} // namespace assay::test
