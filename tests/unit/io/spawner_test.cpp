#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "assay/io/fd_stream.h"
#include "assay/io/run_command.h"
#include "assay/io/spawner.h"
#include "catch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace assay;
using namespace std::chrono_literals;

namespace {
// Children that nobody has reaped, running or zombie: none may be left by any test.
bool have_children() {
    siginfo_t info{};
    return !(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD);
}
ChildSpec shell(const std::string& script) {
    ChildSpec spec;
    spec.argv = {"sh", "-c", script};
    spec.environment = current_environment();
    return spec;
}
// Alive and not a zombie.
bool runs(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    auto at = text.rfind(')');
    return at != std::string::npos && text.size() > at + 2 && text[at + 2] != 'Z';
}
bool eventually_gone(int pid) {
    for (int i = 0; i < 400; ++i) {
        if (!runs(pid)) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}
} // namespace

TEST_CASE("exit codes and signals are told apart") {
    Spawner spawner;
    Cancel cancel;
    REQUIRE(spawner.spawn(shell("exit 9")).wait(cancel).code == 9);
    ChildExit killed = spawner.spawn(shell("kill -KILL $$")).wait(cancel);
    REQUIRE(killed.signal == SIGKILL);
    REQUIRE(killed.text() == "killed by signal 9");
    REQUIRE_FALSE(have_children());
}

TEST_CASE("a failed exec is an error that names the program and leaves no zombie") {
    Spawner spawner;
    for (int i = 0; i < 5; ++i) {
        ChildSpec spec;
        spec.argv = {"no-such-program-xyz"};
        try {
            spawner.spawn(std::move(spec));
            FAIL("started");
        } catch (const Error& e) {
            REQUIRE(e.message() == "cannot start no-such-program-xyz: No such file or directory");
            REQUIRE_FALSE(e.hint().empty());
        }
    }
    ChildSpec spec = shell("true");
    spec.cwd = "/no/such/folder";
    REQUIRE_THROWS_WITH(spawner.spawn(std::move(spec)), Catch::Contains("/no/such/folder"));
    REQUIRE_FALSE(have_children());
}

TEST_CASE("a child has exactly the descriptors it was given") {
    Spawner spawner;
    Cancel cancel;
    UniqueFd leak(::open("/dev/null", O_RDONLY)); // inheritable on purpose
    REQUIRE((::fcntl(leak.get(), F_GETFD) & FD_CLOEXEC) == 0);
    // Sources that collide with targets: 3 and 5 exchange places.
    UniqueFd three(::fcntl(leak.get(), F_DUPFD, 3)), five(::fcntl(leak.get(), F_DUPFD, 5));
    Pipe pipe = make_pipe();
    ChildSpec spec;
    spec.argv = {"ls", "/proc/self/fd"};
    spec.out = std::move(pipe.write_end);
    spec.extra.emplace_back(5, duplicate(three.get()));
    spec.extra.emplace_back(3, duplicate(five.get()));
    ChildProcess child = spawner.spawn(std::move(spec));
    FdStream out(std::move(pipe.read_end));
    std::string text;
    std::array<char, 512> buffer;
    while (std::size_t n = out.read(buffer, cancel)) text.append(buffer.data(), n);
    REQUIRE(child.wait(cancel).ok());
    // 4 is the folder that ls itself has open.
    REQUIRE(replace_all(text, "\n", " ") == "0 1 2 3 4 5 ");
}

TEST_CASE("extra descriptors arrive under their number, whatever their own") {
    Spawner spawner;
    Cancel cancel;
    Pipe a = make_pipe(), b = make_pipe();
    ChildSpec spec = shell("echo to-a >&7; echo to-b >&8");
    spec.extra.emplace_back(7, std::move(a.write_end));
    spec.extra.emplace_back(8, std::move(b.write_end));
    REQUIRE(spawner.spawn(std::move(spec)).wait(cancel).ok());
    std::array<char, 64> buffer;
    FdStream from_a(std::move(a.read_end)), from_b(std::move(b.read_end));
    REQUIRE(std::string(buffer.data(), from_a.read(buffer, cancel)) == "to-a\n");
    REQUIRE(std::string(buffer.data(), from_b.read(buffer, cancel)) == "to-b\n");
}

TEST_CASE("signals blocked or ignored here are at their defaults in the child") {
    Spawner spawner;
    auto before = ::signal(SIGPIPE, SIG_IGN);
    sigset_t term, old;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &old);
    CommandResult result =
        run_command(spawner, {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}, {}, Cancel());
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    ::signal(SIGPIPE, before);
    auto mask = [&](const std::string& name) {
        return std::stoull(result.out.substr(result.out.find(name) + name.size()), nullptr, 16);
    };
    REQUIRE(mask("SigBlk:") == 0);
    // 32 and 33 belong to glibc, whose posix_spawn leaves them ignored.
    REQUIRE((mask("SigIgn:") & ~0x1'8000'0000ull) == 0);
}

TEST_CASE("the environment and the folder are what was asked for") {
    Spawner spawner;
    CommandOptions options;
    options.environment = {"ONLY=this"};
    options.cwd = "/";
    CommandResult result =
        run_command(spawner, {"/bin/sh", "-c", "echo $ONLY$HOME; pwd"}, options, Cancel());
    REQUIRE(result.out == "this\n/\n");
}

TEST_CASE("forty children with deadlines, half of them killed by group") {
    Spawner spawner;
    std::vector<std::thread> threads;
    std::atomic<int> ended = 0, killed = 0;
    for (int i = 0; i < 40; ++i)
        threads.emplace_back([&, i] {
            ChildProcess child = spawner.spawn(shell(i % 2 == 0 ? "exit 0" : "sleep 60"));
            Cancel limited = Cancel().child(Cause::Deadline, i % 2 == 0 ? 60s : 1s, "limit");
            try {
                if (child.wait(limited).ok()) ++ended;
            } catch (const Interrupted&) {
                child.signal_group(SIGKILL);
                if (child.wait(Cancel()).signal == SIGKILL) ++killed;
            }
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(ended == 20);
    REQUIRE(killed == 20);
    REQUIRE_FALSE(have_children());
}

TEST_CASE("the group kill reaches grandchildren, and the destructor does it too") {
    Spawner spawner;
    Cancel cancel;
    bool by_destructor = GENERATE(false, true);
    Pipe pipe = make_pipe();
    ChildSpec spec = shell("sleep 600 & echo $!; wait");
    spec.out = std::move(pipe.write_end);
    ChildProcess child = spawner.spawn(std::move(spec));
    std::array<char, 64> buffer;
    FdStream out(std::move(pipe.read_end));
    int grandchild = std::stoi(std::string(buffer.data(), out.read(buffer, cancel)));
    REQUIRE(runs(grandchild));
    if (by_destructor) {
        child = ChildProcess();
    } else {
        child.signal_group(SIGKILL);
        child.wait(cancel);
        child.signal_group(SIGKILL); // reaped: must hit nobody
    }
    REQUIRE(eventually_gone(grandchild));
    REQUIRE_FALSE(have_children());
}

TEST_CASE("a child with a parent-death signal outlives the thread that asked for it") {
    auto start = [](Spawner& spawner) {
        ChildSpec spec;
        spec.argv = {"setpriv", "--pdeathsig", "KILL", "sleep", "600"};
        ChildProcess child = spawner.spawn(std::move(spec));
        std::string name, file = "/proc/" + std::to_string(child.pid()) + "/comm";
        while (name != "sleep") std::getline(std::ifstream(file), name); // the signal is set
        return child;
    };
    Spawner spawner;
    ChildProcess kept, lost;
    std::thread([&] { kept = start(spawner); }).join();
    // The signal is real: it comes when the spawning thread ends, that is with its Spawner.
    auto short_lived = std::make_unique<Spawner>();
    lost = start(*short_lived);
    short_lived.reset();
    Cancel cancel = Cancel().child(Cause::Deadline, 60s, "test");
    REQUIRE(lost.wait(cancel).signal == SIGKILL);
    REQUIRE_FALSE(kept.ended());
}

TEST_CASE("run_command gives input, keeps head and tail, and tells failures apart") {
    Spawner spawner;
    Cancel cancel;
    std::string large(2'000'000, 'q');
    CommandOptions options;
    options.input = large;
    CommandResult counted = run_command(spawner, {"wc", "-c"}, options, cancel);
    REQUIRE(std::stoi(counted.out) == 2'000'000);
    // A child that reads nothing must not block or kill us.
    REQUIRE(run_command(spawner, {"true"}, options, cancel).ok());

    CommandOptions small;
    small.output_limit = 1000;
    CommandResult cut = run_command(spawner, {"sh", "-c", "seq 100000"}, small, cancel);
    REQUIRE(cut.ok());
    REQUIRE(cut.out.size() < 1200);
    REQUIRE(cut.out.substr(0, 4) == "1\n2\n");
    REQUIRE(cut.out.substr(cut.out.size() - 7) == "100000\n");

    REQUIRE(run_checked(spawner, {"echo", "fine"}, {}, cancel) == "fine\n");
    REQUIRE_THROWS_WITH(run_checked(spawner, {"sh", "-c", "echo broken >&2; exit 3"}, {}, cancel),
                        Catch::Contains("exit code 3") && Catch::Contains("broken"));
}

TEST_CASE("run_command ends a child that ignores SIGTERM") {
    Spawner spawner;
    CommandOptions options;
    options.timeout = 1s; // the shell must have set its trap by then
    CommandResult result =
        run_command(spawner, {"sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.1; done"},
                    options, Cancel());
    REQUIRE(result.timed_out);
    REQUIRE(result.exit.signal == SIGKILL);
    REQUIRE(result.out == "on\n");
    REQUIRE_FALSE(have_children());
}

TEST_CASE("a daemonised grandchild that holds the pipes does not hold us") {
    Spawner spawner;
    TempFolder folder;
    std::string pid_file = (folder.path() / "pid").string();
    Cancel cancel = Cancel().child(Cause::Deadline, 60s, "test");
    CommandResult result = run_command(spawner,
                                       {"sh", "-c",
                                        "setsid sh -c 'echo $$ >" + pid_file +
                                            "; exec sleep 600' & "
                                            "while ! [ -s " +
                                            pid_file + " ]; do sleep 0.02; done; echo started"},
                                       {}, cancel);
    REQUIRE(result.ok());
    REQUIRE(result.out == "started\n");
    int daemon = std::stoi(RealFileSystem().read(pid_file, 100));
    REQUIRE(runs(daemon)); // it really did hold them
    ::kill(daemon, SIGKILL);
}

TEST_CASE("a cancelled run_command leaves nothing behind") {
    Spawner spawner;
    Cancel cancel;
    std::thread thread([&] {
        std::this_thread::sleep_for(50ms);
        cancel.cancel(Cause::User);
    });
    REQUIRE_THROWS_AS(run_command(spawner, {"sleep", "600"}, {}, cancel), Interrupted);
    thread.join();
    REQUIRE_FALSE(have_children());
}
