#include "catch.h"
#include "skip.h"
#include "support.h"

namespace assay::test {

TEST_CASE("a fork bomb stays below its limit and the sandbox survives it") {
    if (!backend().capabilities().limit_pids) {
        skip("no pids cgroup on this machine");
        return;
    }
    SandboxSpec spec;
    spec.limits.pids = 64;
    auto environment = host_environment(spec);
    Sandbox& box = environment->main();
    ExecOptions options;
    options.timeout = std::chrono::seconds(2);
    sh(box, "bomb() { bomb | bomb & }; bomb; sleep 10", options);
    ResourceUsage usage = box.usage();
    CHECK(usage.pids_peak <= 64);
    if (usage.pids_peak >= 0) CHECK(usage.pids_peak >= 30); // kernels before 6.12 do not say
    CHECK(box.alive());

    const std::string many = R"(python3 -c '
import os, time
n = 0
try:
    while n < 200:
        if os.fork() == 0: time.sleep(3); os._exit(0)
        n += 1
except OSError: pass
print(n)')";
    auto free = host_environment(); // the same without the limit
    CHECK(sh(free->main(), many).out == "200\n");
    auto limited = host_environment(spec);
    CHECK(std::stoi(sh(limited->main(), many).out) < 64);
}

TEST_CASE("what runs inside is in a cgroup of the run, of v2 too") {
    auto environment = host_environment();
    const std::string mark = "1000." + std::to_string(::getpid());
    REQUIRE(sh(environment->main(), "sleep " + mark +
                                        " >/dev/null 2>&1 & until grep -q sleep /proc/$!/comm; do "
                                        ":; done") // until then it is still a shell
                .ok());
    RealFileSystem files;
    std::string groups;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        try {
            if (files.read(entry.path() / "cmdline", 4096) == "sleep" + ('\0' + mark) + '\0')
                groups = files.read(entry.path() / "cgroup", 1 << 20);
        } catch (const Error&) { // it has ended
        }
    }
    INFO(groups);
    REQUIRE_FALSE(groups.empty());
    CHECK((groups.find("/assay-") != std::string::npos) == backend().capabilities().usage);
    if (::access("/sys/fs/cgroup/unified/cgroup.procs", W_OK) != 0) return;
    std::size_t v2 = groups.find("0::"); // hybrid: there it begins, those of v1 it joins
    CHECK(groups.substr(v2, groups.find('\n', v2) - v2).find("/assay-") != std::string::npos);
}

TEST_CASE("a sandbox that names no limit has one on processes all the same") {
    if (!backend().capabilities().limit_pids) {
        skip("no pids cgroup on this machine");
        return;
    }
    auto environment = host_environment();
    // The kernel's count of what the sandbox's own pids cgroup would allow is not visible inside;
    // more sleeping threads than the limit are.
    ExecOptions options;
    options.timeout = std::chrono::seconds(60);
    ExecResult result = sh(environment->main(), R"(python3 -c '
import threading
threading.stack_size(65536)
stop = threading.Event()
n = 0
try:
    while n < 9000:
        threading.Thread(target=stop.wait, daemon=True).start()
        n += 1
except RuntimeError: pass
print(n, flush=True)
stop.set()')",
                           options);
    INFO(result.out << result.err);
    int threads = std::atoi(result.out.c_str());
    CHECK(threads > 1000);
    CHECK(threads < 8192);
}

TEST_CASE("a memory hog is killed, counted, and takes nobody else with it") {
    if (!backend().capabilities().limit_memory) {
        skip("no memory cgroup on this machine");
        return;
    }
    const std::string hog = "python3 -c 'x = bytearray(200 << 20); print(len(x))'";
    SandboxSpec spec;
    spec.limits.memory_bytes = 100u << 20;
    auto environment = host_environment(spec);
    Sandbox& box = environment->main();
    CHECK(sh(box, hog).status.text() != "exit code 0");
    CHECK(sh(box, "echo alive").out == "alive\n");
    ResourceUsage usage = box.usage();
    CHECK(usage.oom_kills >= 1);
    CHECK(usage.memory_peak_bytes <= (101 << 20));
    auto free = host_environment();
    CHECK(sh(free->main(), hog).ok());
    CHECK(free->main().usage().memory_peak_bytes > (200 << 20));
}

TEST_CASE("a processor limit holds and is counted") {
    if (!backend().capabilities().limit_cpus) {
        skip("no cpu cgroup on this machine");
        return;
    }
    SandboxSpec spec;
    spec.limits.cpus = 0.1;
    auto environment = host_environment(spec);
    ExecOptions options;
    options.timeout = std::chrono::seconds(2);
    sh(environment->main(), "while :; do :; done", options);
    ResourceUsage usage = environment->main().usage();
    CHECK(usage.cpu_seconds > 0.01);
    CHECK(usage.cpu_seconds < 1.0);
    CHECK(usage.throttled_seconds > 0.5);
}

TEST_CASE("an output flood is cut, and the rest is counted") {
    auto environment = host_environment();
    ExecOptions options;
    options.output_limit = 4096;
    ExecResult result =
        sh(environment->main(), "head -c 20000000 /dev/zero; echo; echo end", options);
    CHECK(result.out_bytes == 20'000'005);
    CHECK(result.out.size() < 5000);
    CHECK(result.out.ends_with("end\n"));
}

TEST_CASE("a command's own time-out ends its group; an abort ends it at once") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    ExecOptions options;
    options.timeout = std::chrono::milliseconds(200);
    ExecResult result = sh(box, "sleep 100 & wait", options);
    CHECK(result.timed_out);
    CHECK(result.status.signal == 15);
    CHECK_FALSE(sh(box, "pgrep sleep").ok());
    result = sh(box, "trap '' TERM; while :; do sleep 0.1; done", options);
    CHECK(result.timed_out);
    CHECK(result.status.signal == 9);
    Cancel cancel = Cancel().child(Cause::Deadline, std::chrono::milliseconds(200), "test");
    CHECK_THROWS_AS(box.exec({"sleep", "50"}, {}, cancel), Interrupted);
    CHECK(sh(box, "for i in 1 2 3 4 5; do pgrep sleep || exit 0; sleep 0.2; done; exit 1").ok());
}

TEST_CASE("a daemon left running survives; output held by a grandchild does not block") {
    auto environment = host_environment();
    Sandbox& box = environment->main();
    ExecResult result = sh(box, "sleep 1000 & echo started");
    CHECK(result.out == "started\n");
    CHECK(result.seconds < 100);
    CHECK(sh(box, "pgrep -c sleep").out == "1\n");
}

TEST_CASE("as another user: identity, groups, home; its files are its own") {
    if (!backend().capabilities().multi_user) {
        skip("only one user here");
        return;
    }
    auto environment = host_environment();
    Sandbox& box = environment->main();
    REQUIRE(sh(box, "echo 'alice:x:1234:1235::/home/alice:/bin/sh' >> /etc/passwd; echo "
                    "'alice:x:1235:' >> /etc/group; echo 'club:x:1300:alice' >> /etc/group; mkdir "
                    "-p /home/alice; chown 1234:1235 /home/alice; chmod 700 /root")
                .ok());
    ExecOptions options;
    options.user = "alice";
    CHECK(sh(box, "id -u; id -g; id -G; echo $HOME", options).out ==
          "1234\n1235\n1235 1300\n/home/alice\n");
    CHECK(sh(box, "touch ~/f && stat -c %u ~/f", options).out == "1234\n");
    CHECK_FALSE(sh(box, "ls /root", options).ok());
    CHECK(sh(box, "grep CapEff /proc/self/status", options).out == "CapEff:\t0000000000000000\n");
    options.user = "4321";
    CHECK(sh(box, "id -u", options).out == "4321\n");
    // Tables that the inside has made unreadable or endless do not stop us.
    REQUIRE(sh(box, "mv /etc/passwd /etc/p; mkfifo /etc/passwd").ok());
    options.user = "";
    CHECK(box.exec({"echo", "fine"}, options, Cancel()).out == "fine\n");
    options.user = "alice";
    CHECK_THROWS_AS(box.exec({"id"}, options, Cancel()), StartError);
}

} // namespace assay::test
