// A real hierarchy of cgroup2, alone: also where the controllers are all on v1, as on a hybrid
// machine, its freezing, killing and accounting are the kernel's.
#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "catch.h"
#include "local/cgroups.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace assay;
using namespace assay::local;

namespace {

// What /proc/self says, without the hierarchies of v1.
struct OnlyV2 {
    TempFolder folder;
    OnlyV2() {
        RealFileSystem files;
        auto keep = [&](const char* name, const char* mark) {
            std::string out, text = files.read(Path("/proc/self") / name, 1 << 20);
            for (std::string_view line : split_lines(text))
                if (line.find(mark) != std::string_view::npos) out += std::string(line) + "\n";
            files.write(folder.path() / name, out);
        };
        keep("mountinfo", " - cgroup2 ");
        keep("cgroup", "0::");
    }
};

void write(const Path& path, const std::string& text) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
}

pid_t spin_in(const Path& folder) {
    char sh[] = "sh", c[] = "-c", loop[] = "while :; do :; done";
    char* argv[] = {sh, c, loop, nullptr};
    pid_t pid = -1;
    REQUIRE(::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, argv, environ) == 0);
    write(folder / "cgroup.procs", std::to_string(pid));
    return pid;
}

void pause_ms(int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

struct Fixture {
    OnlyV2 v2;
    std::unique_ptr<RunCgroups> run =
        std::make_unique<RunCgroups>("test-" + std::to_string(::getpid()), v2.folder.path());
    Fixture() {
        if (!run->folders().empty()) return;
        std::printf("skipped: no cgroup2 hierarchy that can be written\n");
        std::exit(77);
    }
};

} // namespace

TEST_CASE("cgroup2: what is frozen uses no processor time, goes on after it, and is killed") {
    Fixture fixture;
    auto box = fixture.run->make("s1");
    Path folder = box->join().at(0);
    REQUIRE(::access((folder / "cgroup.freeze").c_str(), F_OK) == 0);
    pid_t pid = spin_in(folder);
    auto used = [&] { return box->usage().cpu_seconds; };
    double start = used();
    REQUIRE(start >= 0);
    for (int i = 0; i < 1000 && used() <= start; i++) pause_ms(10);
    CHECK(used() > start);

    CHECK(box->freeze());
    double frozen = used();
    pause_ms(100);
    CHECK(used() == frozen);
    box->thaw();
    for (int i = 0; i < 1000 && used() <= frozen; i++) pause_ms(10);
    CHECK(used() > frozen);

    CHECK(box->freeze());
    box->kill(); // what is frozen, too
    int status = 0;
    CHECK(::waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGKILL);
    box.reset();
    CHECK(::access(folder.c_str(), F_OK) != 0);
    std::string run = fixture.run->folders().at(0);
    fixture.run.reset();
    CHECK(::access(run.c_str(), F_OK) != 0);
}

TEST_CASE("cgroup2: stepping down moves this very process into the leaf") {
    Fixture fixture;
    Path leaf = fixture.run->folders().at(0) + "/leaf";
    REQUIRE(::mkdir(leaf.c_str(), 0755) == 0);
    // Our own cgroup is made of plain files and has controllers, but its leaf is a real cgroup.
    TempFolder fake;
    RealFileSystem files;
    files.write(fake.path() / "mountinfo",
                "1 1 0:1 / " + fake.path().string() + " rw shared:9 - cgroup2 cgroup2 rw\n");
    files.write(fake.path() / "cgroup", "0::/\n");
    files.write(fake.path() / "cgroup.controllers", "memory\n");
    files.write(fake.path() / "cgroup.procs", std::to_string(::getpid()) + "\n");
    std::filesystem::create_directory_symlink(leaf, fake.path() / "assay-self");
    std::string before = files.read("/proc/self/cgroup", 1 << 20);
    RunCgroups run("r", fake.path());
    std::string after = files.read("/proc/self/cgroup", 1 << 20);
    write(Path(fixture.run->folders().at(0)).parent_path() / "cgroup.procs", "0");
    CHECK(after.find("/leaf\n") != std::string::npos);
    CHECK(files.read("/proc/self/cgroup", 1 << 20) == before);
    CHECK(::rmdir(leaf.c_str()) == 0);
}
