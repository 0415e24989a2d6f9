// Attacks as attempts of a run. Of each: it does not reach its aim, its attempt is of the right
// class, and what the store keeps of the attempt tells what happened. The attacks are then run once
// more without the guards, with the same scripts, and succeed. For links, whose guard is how put
// and get are made, that half is in tests/system/sandbox/attack_test.cpp.
#include "attack_run.h"
#include "host_service.h"

using namespace assay;
using namespace assay::test;

namespace {

using Catch::Contains;

const std::string kForks = R"(python3 -c '
import os, sys, time
made = 0
try:
    while made < 300:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError as error: print(error)
print("made", made, flush=True)
os.kill(0, 9)')"; // with its whole group

// Takes all that the limit gives and leaves it behind: processes in a session of their own.
const std::string kForksStay = R"(python3 -c '
import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        try:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
        except OSError: pass' >/dev/null 2>&1; sleep 2; echo left)";

const std::string kMemory = "python3 -c 'print(len(bytearray(300 << 20)))'";

// Shared memory outlives its maker, so that in the end the kernel finds nobody to kill but the
// sandbox's own small processes: the program is smaller still.
const std::string kMemoryStays = R"~(cat > /tmp/a.c <<'END'
static long call(long n, long a, long b, long c) {
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}
void _start(void) {
    long fd = call(2, (long)"/proc/self/oom_score_adj", 1, 0);
    call(1, fd, (long)"0", 1);
    for (long size = 1 << 20; size >= 4096; size /= 2)
        for (int i = 0; i < 400; i++) {
            if (call(57, 0, 0, 0) == 0) {
                long at = call(30, call(29, 0, size, 01600), 0, 0);
                for (long o = 0; o < size; o += 4096) *(volatile char *)(at + o) = 1;
                call(60, 0, 0, 0);
            }
            int status = 0;
            call(61, -1, (long)&status, 0);
            if ((status & 0x7f) == 9) break;
        }
    for (;;) call(34, 0, 0, 0);
}
END
gcc -static -nostdlib -O1 -fno-stack-protector -o /tmp/a /tmp/a.c && (setsid /tmp/a > /dev/null 2>&1 &); sleep 3)~";

const std::string kSysctl =
    "v=$(cat /proc/sys/vm/swappiness) && echo $v > /proc/sys/vm/swappiness && echo written";

const std::string kTrace = R"(python3 -c '
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print("pid 1:", libc.ptrace(0x4206, 1, 0, 0), os.strerror(ctypes.get_errno()))')";

const std::string kMount = "mount -t tmpfs x /mnt && echo mounted";

constexpr int kFlood = 20'000'000;
const std::string kFloodCommand = "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end";

const std::string kAnswer = "5d41402a";
const std::string kPeek = "cat /tests/test.sh; ls /tests";
const std::string kPeekTest =
    "# " + kAnswer + "\n" + kPeek + "\necho 0 > /logs/verifier/reward.txt\n";

// The test writes reward.txt; the other one wins.
const std::string kForge = R"(echo '{"reward": 1}' > /logs/verifier/reward.json && echo forged)";

std::string egress(const HostService& service) {
    std::string out;
    for (const std::string& address : machine_addresses())
        out += "timeout 3 bash -c 'exec 3<>/dev/tcp/" + address + "/" + service.port +
               "' && echo reached; ";
    return out + "true";
}

struct HostSecret {
    TempFolder folder;
    Path file = folder.path() / "secret";
    HostSecret() { RealFileSystem().write(file, "host secret 7d793037", 0644); }
};

// All attacks behind all guards, as one run.
struct Guarded {
    HostService service;
    HostSecret secret;
    AttackRun run;
    int visitors = 0;
    RunResult result;

    Guarded() {
        std::string host_file = secret.file.string(), host = secret.folder.path().string();
        if (backend().capabilities().limit_pids) {
            run.add("fork-bomb", {.pids = 100}, {kForks, "echo alive"});
            run.add("fork-bomb-stays", {.pids = 100}, {kForksStay});
        }
        if (backend().capabilities().limit_memory) {
            run.add("memory-fill", {.memory_mb = 128}, {kMemory, "echo alive"});
            run.add("memory-fill-stays", {.memory_mb = 128}, {kMemoryStays});
        }
        run.add("egress", {}, {egress(service)});
        run.add("sysctl", {}, {kSysctl, kSysfsAttack});
        run.add("trace", {}, {kTrace});
        run.add("mount", {}, {kMount});
        run.add("links", {},
                {"cd /logs/artifacts && echo fine > file && ln -s " + host_file + " far && ln -s " +
                 host + " folder && rm -rf /logs/verifier && ln -s " + host +
                 " /logs/verifier && ln -s " + host + " /tests && echo made"});
        run.add("early-reward", {}, {kForge});
        run.add("early-tests", {}, {kPeek}, kPeekTest);
        run.add("flood", {}, {kFloodCommand});
        result = run.run(backend(), true);
        visitors = service.visitors();
    }
};

const Guarded& guarded() {
    need_sandboxes();
    static Guarded instance;
    return instance;
}

// The same scripts where nothing holds them.
struct Unguarded {
    HostService service;
    AttackRun run;
    int visitors = 0;

    Unguarded() {
        run.add("fork-bomb", {}, {kForks});
        run.add("memory-fill", {}, {kMemory});
        run.add("egress", {}, {egress(service)});
        run.add("sysctl", {}, {kSysctl, kSysfsAttack});
        run.add("trace", {}, {kTrace});
        run.add("mount", {}, {kMount});
        run.add("early-reward", {}, {kForge});
        run.add("early-tests", {}, {kPeek}, kPeekTest);
        run.add("flood", {}, {kFloodCommand});
        LocalOptions weak = options();
        weak.without_guards = {"seccomp", "capabilities", "proc", "sysfs", "network"};
        run.run(*make_local_backend(std::move(weak)), false,
                {{"shell_output", std::to_string(32 << 20)}, {"tool_output_limit", "0"}});
        visitors = service.visitors();
    }
    StoredAttempt read(const std::string& id) const { return run.read(id); }
};

const Unguarded& unguarded() {
    static Unguarded instance;
    return instance;
}

std::string output(const StoredAttempt& attempt, std::size_t command = 0) {
    return attempt.command(command).texts.at("out");
}

// It counts, as a 0: the model's doing.
void check_scored_zero(const StoredAttempt& attempt) {
    CHECK(to_string(attempt.row.end.attempt_class) == "scored");
    CHECK(attempt.row.end.score == 0.0);
}

bool limits(bool SandboxCapabilities::* which, const char* what) {
    if (guarded(), backend().capabilities().*which) return true;
    skip(std::string("no cgroup on this machine limits ") + what);
    return false;
}

} // namespace

TEST_CASE("no hostile attempt is in error through our fault, none is tried again") {
    const Guarded& world = guarded();
    CHECK(world.result.scored + world.result.in_error == world.run.tasks().size());
    for (const std::string& id : world.run.tasks()) {
        INFO(id);
        StoredAttempt attempt = world.run.read(id);
        CHECK(attempt.tries == 1);
        CHECK(to_string(attempt.row.end.attempt_class) != "infrastructure_error");
    }
}

TEST_CASE("attempt: a fork bomb") {
    if (!limits(&SandboxCapabilities::limit_pids, "processes")) return;
    StoredAttempt attempt = guarded().run.read("fork-bomb");
    check_scored_zero(attempt);
    CHECK_THAT(output(attempt), Contains("Resource temporarily unavailable"));
    CHECK_THAT(output(attempt), !Contains("made 300"));
    CHECK(output(attempt, 1) == "alive\n");
    CHECK(attempt.row.end.resources.pids_peak <= 100);
    const auto* hit = attempt.find(EventKind::Sandbox, "\"pids\"");
    REQUIRE(hit != nullptr);
    CHECK(hit->data.at("refused") >= 1);

    StoredAttempt free = unguarded().read("fork-bomb");
    CHECK_THAT(output(free), Contains("made 300"));
    CHECK(free.row.end.resources.pids_peak > 300);
    CHECK(free.find(EventKind::Sandbox, "\"pids\"") == nullptr);
}

TEST_CASE("attempt: a fork bomb that is there while the tests run keeps its attempt from a score") {
    if (!limits(&SandboxCapabilities::limit_pids, "processes")) return;
    StoredAttempt attempt = guarded().run.read("fork-bomb-stays");
    CHECK(attempt.find(EventKind::Sandbox, "\"refused\"") != nullptr);
    CHECK(to_string(attempt.row.end.attempt_class) == "verifier_error");
    REQUIRE(attempt.row.end.error); // and says what it is, not that a reward was there
    CHECK_THAT(attempt.row.end.error->message, Contains("Resource temporarily unavailable") ||
                                                   Contains("limit of processes") ||
                                                   Contains("RewardFileNotFoundError"));
}

TEST_CASE("attempt: memory is filled") {
    if (!limits(&SandboxCapabilities::limit_memory, "memory")) return;
    StoredAttempt attempt = guarded().run.read("memory-fill");
    check_scored_zero(attempt);
    CHECK(attempt.command(0).data.at("signal") == 9);
    CHECK(output(attempt, 1) == "alive\n");
    CHECK(attempt.row.end.resources.oom_kills >= 1);
    CHECK(attempt.row.end.resources.memory_peak_bytes <= 128 << 20);
    const auto* hit = attempt.find(EventKind::Sandbox, "\"oom\"");
    REQUIRE(hit != nullptr);
    CHECK(hit->data.at("kills") >= 1);

    StoredAttempt free = unguarded().read("memory-fill");
    CHECK(output(free) == std::to_string(300 << 20) + "\n");
    CHECK(free.row.end.resources.memory_peak_bytes > 300 << 20);
}

TEST_CASE("attempt: a sandbox that fills its memory until it is lost is not tried again") {
    if (!limits(&SandboxCapabilities::limit_memory, "memory")) return;
    StoredAttempt attempt = guarded().run.read("memory-fill-stays");
    REQUIRE(attempt.row.end.error);
    INFO(attempt.row.end.error->message);
    CHECK(to_string(attempt.row.end.attempt_class) == "verifier_error");
    CHECK_THAT(attempt.row.end.error->message, Contains("had used up its memory"));
    CHECK(attempt.row.end.resources.oom_kills >= 1);
}

TEST_CASE("attempt: the machine's own services are called") {
    const Guarded& world = guarded();
    StoredAttempt attempt = world.run.read("egress");
    check_scored_zero(attempt);
    CHECK(world.visitors == 0);
    CHECK_THAT(output(attempt), !Contains("reached"));
    CHECK_THAT(output(attempt), Contains("Connection refused") || Contains("unreachable"));
    CHECK_THAT(output(unguarded().read("egress")), Contains("reached"));
    CHECK(unguarded().visitors == static_cast<int>(machine_addresses().size()));
}

TEST_CASE("attempt: /proc and /sys are written") {
    StoredAttempt attempt = guarded().run.read("sysctl");
    check_scored_zero(attempt);
    CHECK(attempt.command(0).data.at("code") != 0);
    CHECK_THAT(output(attempt), Contains("Read-only file system") || Contains("ermission denied"));
    CHECK_THAT(output(attempt, 1), Contains("No such file or directory"));
    CHECK_THAT(output(attempt, 1), !Contains("written"));
    if (!as_root()) return; // to whom the kernel itself says no
    StoredAttempt free = unguarded().read("sysctl");
    CHECK(output(free) == "written\n");
    CHECK_THAT(output(free, 1), Contains("written"));
}

TEST_CASE("attempt: pid 1 is traced") {
    StoredAttempt attempt = guarded().run.read("trace");
    check_scored_zero(attempt);
    CHECK_THAT(output(attempt), Contains("pid 1: -1 Operation not permitted"));
    CHECK_THAT(output(unguarded().read("trace")), Contains("pid 1: 0"));
}

TEST_CASE("attempt: something is mounted") {
    StoredAttempt attempt = guarded().run.read("mount");
    check_scored_zero(attempt);
    CHECK(attempt.command(0).data.at("code") != 0);
    CHECK_THAT(output(attempt), Contains("permission denied") || Contains("must be superuser"));
    CHECK(output(unguarded().read("mount")) == "mounted\n");
}

TEST_CASE("attempt: links lead out of what is collected and of where the tests are put") {
    const Guarded& world = guarded();
    StoredAttempt attempt = world.run.read("links");
    check_scored_zero(attempt);
    REQUIRE(output(attempt) == "made\n");
    CHECK_FALSE(attempt.holds("host secret 7d793037"));
    CHECK(attempt.artifacts.at("artifacts/logs/artifacts/file") == "fine\n");
    for (const char* name : {"far", "folder"}) {
        INFO(name);
        const std::string note = std::string("not kept: /logs/artifacts/") + name;
        CHECK(attempt.find(EventKind::Note, note) != nullptr);
    }
    CHECK(RealFileSystem().list(world.secret.folder.path()) == std::vector<std::string>{"secret"});
    CHECK(RealFileSystem().read(world.secret.file, 100) == "host secret 7d793037");
}

TEST_CASE("attempt: a reward is written before the tests run") {
    StoredAttempt attempt = guarded().run.read("early-reward");
    check_scored_zero(attempt);
    REQUIRE(output(attempt) == "forged\n");
    CHECK(attempt.find(EventKind::Note, "a reward file was there before verification") != nullptr);
    REQUIRE_FALSE(attempt.scores.empty());
    CHECK_THAT(attempt.scores[0].details, Contains("\"reward_before_verification\":true"));

    CHECK(unguarded().read("early-reward").row.end.score == 1.0);
}

TEST_CASE("attempt: the verifier's files are read while the agent works") {
    StoredAttempt attempt = guarded().run.read("early-tests");
    check_scored_zero(attempt);
    CHECK_THAT(output(attempt), !Contains(kAnswer) && Contains("No such file or directory"));
    // They come with the verifier.
    CHECK_THAT(attempt.artifacts.at("verifier/test-stdout.txt"), Contains(kAnswer));

    CHECK_THAT(output(unguarded().read("early-tests")), Contains(kAnswer));
}

TEST_CASE("attempt: a flood of output") {
    StoredAttempt attempt = guarded().run.read("flood");
    check_scored_zero(attempt);
    CHECK(attempt.command(0).data.at("out_bytes") == kFlood + 5);
    const auto* result = attempt.find(EventKind::ToolResult, "shell");
    REQUIRE(result != nullptr);
    for (const std::string& kept : {output(attempt), result->texts.at("text")}) {
        CHECK(kept.size() < 40'000);
        CHECK_THAT(kept, Contains("bytes left out") && Contains("\nend\n"));
    }

    StoredAttempt free = unguarded().read("flood");
    CHECK(output(free).size() == kFlood + 5);
    CHECK(free.find(EventKind::ToolResult, "shell")->texts.at("text").size() > kFlood + 5);
}
