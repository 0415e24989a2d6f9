// Attacks from inside. The test also shows the attack work where its guard is taken away, or on a
// naive way of doing the same.
#include "assay/base/fd.h"
#include "assay/base/text.h"
#include "catch.h"
#include "host_service.h"
#include "skip.h"
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace assay::test {

namespace {
bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}
} // namespace

namespace {
// A backend that lacks one guard, to see that the attack works without it.
LocalBackend& weak_backend(const std::string& without) {
    static std::map<std::string, std::unique_ptr<LocalBackend>> made;
    std::unique_ptr<LocalBackend>& backend = made[without];
    if (!backend) {
        LocalOptions weak = options();
        for (std::string_view guard : split(without, '+')) weak.without_guards.emplace(guard);
        backend = make_local_backend(std::move(weak));
    }
    return *backend;
}
} // namespace

TEST_CASE("links made inside lead put and get nowhere outside") {
    TempFolder secret_folder;
    Path secret = secret_folder.path() / "secret";
    std::ofstream(secret) << "host secret";
    auto environment = host_environment();
    Sandbox& box = environment->main();
    Cancel cancel;
    std::string link = secret.string();
    REQUIRE(sh(box, "mkdir /out; ln -s " + link +
                        " /out/link; ln -s / /out/root; mkfifo /out/fifo; "
                        "ln -s /proc/self/fd/0 /out/magic; echo fine > /out/file; ln -s " +
                        secret_folder.path().string() + " /out/dir")
                .ok());

    SECTION("get of a file through a link") {
        CHECK_FALSE(box.get_file("/out/link", 1000, cancel).has_value());
        CHECK_FALSE(box.get_file("/out/dir/secret", 1000, cancel).has_value());
        CHECK_THROWS_AS(box.get_file("/out/magic", 1000, cancel), Error);
        CHECK_THROWS_AS(box.get_file("/out/fifo", 1000, cancel), Error);     // and does not block
        CHECK(box.get_file("/out/root/out/file", 1000, cancel) == "fine\n"); // inside is allowed
    }
    SECTION("get of a folder takes files and links that stay in it, and names the rest") {
        TempFolder to;
        REQUIRE(sh(box, "ln -s file /out/near; ln -s near/../../etc/passwd /out/far").ok());
        std::vector<std::string> left_out = box.get_folder("/out", to.path() / "got", 1000, cancel);
        CHECK(left_out.size() == 6);
        RealFileSystem files;
        CHECK(files.list(to.path() / "got") == std::vector<std::string>{"file", "near"});
        CHECK(std::filesystem::read_symlink(to.path() / "got/near") == "file");
        box.put_folder(to.path() / "got", "/back", cancel);
        CHECK(sh(box, "readlink /back/near && cat /back/near").out == "file\nfine\n");
    }
    SECTION("put replaces a link and does not write through it") {
        box.put_file("/out/link", "mine", 0644, cancel);
        CHECK(sh(box, "test ! -L /out/link && cat /out/link").out == "mine");
        box.put_file("/out/fifo", "mine", 0644, cancel); // does not block
        CHECK_THROWS_AS(box.put_file("/out/file/below", "x", 0644, cancel), Error);
        try { // the link's target does not exist inside: nothing to write to
            box.put_file("/out/dir/secret", "evil", 0644, cancel);
        } catch (const Error&) {
        }
        CHECK(RealFileSystem().read(secret, 100) == "host secret");
    }
    SECTION("the same attacks on copies that trust the tree succeed") {
        // What a harness does that reads and writes the writable layer from the host.
        Path upper;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(
                 options().scratch / backend().run_id(),
                 std::filesystem::directory_options::skip_permission_denied))
            if (entry.path().filename() == "link" && entry.is_symlink()) upper = entry.path();
        REQUIRE_FALSE(upper.empty());
        std::ifstream naive(upper);
        std::string got((std::istreambuf_iterator<char>(naive)), {});
        CHECK(got == "host secret");
        std::ofstream(upper) << "evil"; // put of /out/link
        CHECK(RealFileSystem().read(secret, 100) == "evil");
        std::ofstream(upper.parent_path() / "dir/planted") << "evil"; // put of /out/dir/planted
        CHECK(RealFileSystem().read(secret_folder.path() / "planted", 100) == "evil");
    }
}

TEST_CASE("removal and the end of all processes need no program that could be replaced") {
    if (!as_root()) {
        skip("an ordinary user's sandbox cannot change its bash");
        return;
    }
    auto environment = host_environment();
    Sandbox& box = environment->main();
    REQUIRE(sh(box, "(while :; do touch /beat; sleep 0.02; done) >/dev/null 2>&1 & sleep 600 &"
                    "mkdir -p /a/b/c /kept && touch /kept/file && ln -s /kept /a/b/link &&"
                    "cp /usr/bin/true /x && chmod 0 /a/b && mv /x /usr/bin/bash &&"
                    "ln -s /kept /link")
                .ok());
    REQUIRE(sh(box, "kill -9 -1; rm -rf /a").ok()); // what the old way believed
    box.remove("/beat", Cancel());
    for (int i = 0; i < 500 && !box.get_file("/beat", 9, Cancel()); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(box.get_file("/beat", 9, Cancel()).has_value()); // it goes on

    box.kill_all(Cancel());
    box.remove("/beat", Cancel());
    CHECK(box.exec({"ls", "/a"}, {}, Cancel()).ok());
    box.remove("/a", Cancel());
    CHECK_FALSE(box.exec({"ls", "/a"}, {}, Cancel()).ok());
    box.remove("/link", Cancel());
    CHECK(box.get_file("/kept/file", 9, Cancel()).has_value()); // no link was followed
    box.remove("/a/none", Cancel());
    box.remove("/kept/file/none", Cancel());
    for (const char* bad : {"/", "//", "/kept/..", "/kept/."})
        CHECK_THROWS_AS(box.remove(bad, Cancel()), PathError);
    CHECK_THROWS_AS(box.remove("/proc/self", Cancel()), Error);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    CHECK_FALSE(box.get_file("/beat", 9, Cancel()).has_value());
    CHECK(box.exec({"sh", "-c", "set -- /proc/[0-9]*; echo $#"}, {}, Cancel()).out == "2\n");
}

TEST_CASE("the machine's files cannot be changed") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    ExecResult change =
        sh(box, "rm -f /usr/bin/env; echo x > /usr/bin/assay-was-here; ls /usr/bin/env");
    if (as_root()) CHECK(change.status.code != 0); // inside it is gone
    CHECK(std::filesystem::exists("/usr/bin/env"));
    CHECK_FALSE(std::filesystem::exists("/usr/bin/assay-was-here"));
    // What is written is what is there already: were the guard broken, the test would do no harm.
    auto open_proc = weak_backend("proc").start({}, Cancel());
    std::vector<std::string> attacks = {
        "v=$(cat /proc/sys/kernel/core_pattern) && echo \"$v\" > /proc/sys/kernel/core_pattern",
        "v=$(cat /proc/sys/vm/swappiness) && echo $v > /proc/sys/vm/swappiness"};
    if (std::filesystem::exists("/proc/sysrq-trigger")) // 'h': its help, to the kernel's log
        attacks.emplace_back("echo h > /proc/sysrq-trigger");
    else
        note_skip("a write to sysrq-trigger", "this kernel has none");
    for (const std::string& attack : attacks) {
        INFO(attack);
        CHECK_FALSE(sh(box, attack).ok());
        CHECK(sh(open_proc->main(), attack).ok() == as_root());
    }
    // The sysctls of the sandbox's own network are its network administrator's, whoever that is
    // outside.
    const std::string forward =
        "echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward";
    CHECK_FALSE(sh(box, forward).ok());
    CHECK(sh(weak_backend("proc+capabilities").start({}, Cancel())->main(), forward).out == "1\n");
    CHECK(sh(box, "cat /proc/kcore | head -c 1").out.empty());
    CHECK(sh(box, "ls /dev/vda /dev/sda /dev/mem /dev/kmsg 2>/dev/null").out.empty());
}

TEST_CASE("the machine's sysfs is not there") {
    auto environment = host_environment();
    auto weak = weak_backend("sysfs").start({}, Cancel());
    CHECK_FALSE(sh(environment->main(), "ls -d /sys/* || ls -d /dev/sys").ok());
    CHECK_THAT(sh(environment->main(), kSysfsAttack).out, !Catch::Contains("written"));
    CHECK(sh(weak->main(), "ls -d /dev/sys/kernel").ok());
    // As for the sysctls: the machine's root is who the files belong to, and the kernel asks no
    // more. To an ordinary user it says no itself.
    CHECK(sh(weak->main(), kSysfsAttack).ok() == as_root());
}

TEST_CASE("no device node can be made") {
    // Device 1:5 is /dev/zero.
    auto environment = host_environment();
    auto weak = weak_backend("seccomp+capabilities").start({}, Cancel());
    const std::string attack = "mknod /tmp/m c 1 5 && head -c1 /tmp/m";
    CHECK_FALSE(sh(environment->main(), attack).ok());
    // The guard is the user namespace, without which there is no sandbox: all capabilities in it
    // do not help, and the machine's root can.
    CHECK_FALSE(sh(weak->main(), attack).ok());
    TempFolder folder;
    Path node = folder.path() / "m";
    if (::mknod(node.c_str(), S_IFCHR | 0600, makedev(1, 5)) != 0)
        note_skip("a device node made outside", std::strerror(errno));
    else
        CHECK(std::filesystem::is_character_file(node));
}

TEST_CASE("no mounts, no namespaces, no kernel doors") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    CHECK_FALSE(sh(box, "mount -t tmpfs x /mnt").ok());
    CHECK_FALSE(sh(box, "mount -o remount,rw /proc/sys").ok());
    CHECK_FALSE(sh(box, "umount /proc/sys").ok());
    CHECK_FALSE(sh(box, "unshare -Ur true").ok());
    CHECK_FALSE(sh(box, "unshare -m true").ok());
    CHECK_FALSE(sh(box, "nsenter -t 1 -m true").ok());
    auto weak = weak_backend("seccomp+capabilities").start({}, Cancel());
    CHECK(sh(weak->main(), "mount -t tmpfs x /mnt").ok());
    CHECK(sh(weak->main(), "unshare -m true").ok());
    CHECK(sh(weak_backend("seccomp").start({}, Cancel())->main(), "unshare -Ur true").ok());
    CHECK(sh(box, "grep CapEff /proc/self/status").out == "CapEff:\t00000000a80425fb\n");
    CHECK(sh(box, "grep -E 'NoNewPrivs|^Seccomp:' /proc/self/status").out ==
          "NoNewPrivs:\t1\nSeccomp:\t2\n");
    std::string doors = R"(python3 -c '
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name, number in (("bpf", 321), ("perf_event_open", 298), ("keyctl", 250), ("kexec_load", 246),
                     ("io_uring_setup", 425), ("userfaultfd", 323), ("init_module", 175),
                     ("open_by_handle_at", 304), ("clone3", 435), ("mount", 165)):
    r = libc.syscall(number, 0, 0, 0, 0, 0)
    print(name, r, os.strerror(ctypes.get_errno()))
r = libc.syscall(41, 40, 1, 0)
print("vsock", r, os.strerror(ctypes.get_errno()))
# The kernel looks at the low halves only.
r = libc.syscall(41, ctypes.c_long(40 | 1 << 32), 1, 0)
print("vsock_high", r, os.strerror(ctypes.get_errno()))
r = libc.syscall(16, 0, ctypes.c_long(0x5412 | 1 << 32), b"x")
print("tiocsti_high", r, os.strerror(ctypes.get_errno()))')";
    ExecResult calls = sh(box, doors);
    for (std::string_view line :
         {"bpf", "perf_event_open", "keyctl", "kexec_load", "userfaultfd", "init_module",
          "open_by_handle_at", "mount", "vsock", "vsock_high", "tiocsti_high"})
        CHECK_THAT(calls.out, Catch::Contains(std::string(line) + " -1 Operation not permitted"));
    CHECK_THAT(calls.out, Catch::Contains("io_uring_setup -1 Function not implemented"));
    CHECK_THAT(calls.out, Catch::Contains("clone3 -1 Function not implemented"));
    calls = sh(weak_backend("seccomp+capabilities").start({}, Cancel())->main(), doors);
    // The kernel itself may refuse the others here. These get as far as their arguments.
    for (std::string_view door : {"keyctl", "mount", "vsock_high", "tiocsti_high"})
        CHECK_THAT(calls.out, !Catch::Contains(std::string(door) + " -1 Operation not permitted"));
    CHECK_THAT(calls.out, !Catch::Contains("clone3 -1 Function not implemented"));
}

TEST_CASE("pid 1 cannot be read, traced or killed from inside; own processes can be traced") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    CHECK_FALSE(sh(box, "ls -l /proc/1/fd/3").ok());
    CHECK_FALSE(sh(box, "cat /proc/1/mem").ok());
    CHECK_FALSE(sh(box, "readlink /proc/1/exe").ok());
    CHECK_FALSE(sh(box, "head -c1 /proc/1/root/etc/passwd").ok());
    auto weak = weak_backend("seccomp+capabilities").start({}, Cancel());
    CHECK(sh(weak->main(), "readlink /proc/1/exe && ls -l /proc/1/fd/3").ok());
    const std::string trace = R"(python3 -c '
import ctypes, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
SEIZE = 0x4206
print("init", libc.ptrace(SEIZE, 1, 0, 0))
child = os.fork()
if child == 0: time.sleep(5)
print("child", libc.ptrace(SEIZE, child, 0, 0))
os.kill(child, 9)')";
    CHECK(sh(box, trace).out == "init -1\nchild 0\n");
    CHECK(sh(weak->main(), trace).out == "init 0\nchild 0\n");
    sh(box, "kill -9 1; kill -TERM 1; kill -INT 1; kill -SEGV 1");
    CHECK(sh(box, "echo alive").out == "alive\n");
}

TEST_CASE("only its own processes are seen, and no descriptor of the harness") {
    UniqueFd leaked(::open("/etc/passwd", O_RDONLY)); // without close-on-exec, on purpose
    auto environment = host_environment();
    Sandbox& box = environment->main();
    CHECK(sh(box, "ls /proc | grep -c '^[0-9]*$'").out.size() <= 2); // a handful
    CHECK(sh(box, "ls -l /proc/self/fd | grep -v -E 'total|/proc|pipe:|/dev/null'").out.empty());
    CHECK_FALSE(contains(sh(box, "cat /proc/*/cmdline | tr '\\0' ' '").out, "test_system_sandbox"));
    CHECK(sh(box, "env | grep -v -E '^(PATH|HOME|HOSTNAME|PWD|SHLVL|OLDPWD|_|LANG|LC_.*)='").out ==
          "");
}

TEST_CASE("without a network there is none, and never the machine's loopback") {
    HostService service;
    const std::string attack = "exec 3<>/dev/tcp/127.0.0.1/" + service.port;
    auto environment = host_environment();
    CHECK_FALSE(sh(environment->main(), attack).ok());
    CHECK(service.visitors() == 0);
    CHECK(sh(weak_backend("network").start({}, Cancel())->main(), attack).ok());
    CHECK(service.visitors() == 1);
    CHECK_FALSE(sh(environment->main(), "exec 3<>/dev/tcp/1.1.1.1/53").ok());
    CHECK(sh(environment->main(), "cat /proc/net/dev | grep -c :").out == "1\n");
}

TEST_CASE("two sandboxes share nothing") {
    auto a = host_environment(), b = host_environment();
    REQUIRE(sh(a->main(), "echo x > /tmp/f; sleep 100 & (echo > /dev/shm/s)").ok());
    CHECK_FALSE(sh(b->main(), "cat /tmp/f || cat /dev/shm/s").ok());
    CHECK_FALSE(sh(b->main(), "pkill sleep").ok());
    auto inode = [](Sandbox& box, const std::string& kind) {
        return sh(box, "readlink /proc/self/ns/" + kind).out;
    };
    for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts"}) {
        INFO(kind);
        CHECK(inode(a->main(), kind) != inode(b->main(), kind));
        CHECK(inode(a->main(), kind) !=
              std::filesystem::read_symlink(std::string("/proc/self/ns/") + kind).string() + "\n");
    }
}

} // namespace assay::test
