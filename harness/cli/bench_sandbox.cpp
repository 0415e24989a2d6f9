// What a sandbox costs: start to the first exec beside bare bubblewrap in the same run, an exec in
// a running one, checkpoint and start of many files beside as many overlay mounts, and how many
// live at once.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/io/run_command.h"
#include "bench.h"
#include "live_run.h"
#include "registry.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace assay {

namespace {

constexpr int kLive = 200;
constexpr int kFiles = 10'000;

template<class Body>
double timed(const Body& body) {
    auto began = std::chrono::steady_clock::now();
    body();
    return seconds(std::chrono::steady_clock::now() - began) * 1e3;
}

BenchNumber milliseconds(std::string name, std::vector<double> samples, double goal = 0) {
    BenchNumber number{std::move(name), "ms"};
    number.value = median(samples);
    number.samples = std::move(samples);
    number.goal = goal;
    number.at_least = false;
    return number;
}

void must_succeed(const ExecResult& result) {
    if (!result.ok())
        throw Error(ErrorKind::Sandbox, "a command of the bench ended with " +
                                            result.status.text() + ": " + result.err);
}

// bwrap with every namespace and a private /proc and /dev: what a sandbox has, without our parts.
std::vector<std::string> bare_bubblewrap() {
    return {"bwrap",     "--unshare-all", "--ro-bind",
            "/usr",      "/usr",          "--symlink",
            "usr/bin",   "/bin",          "--symlink",
            "usr/lib",   "/lib",          "--symlink",
            "usr/lib64", "/lib64",        "--proc",
            "/proc",     "--dev",         "/dev",
            "--tmpfs",   "/tmp",          "--die-with-parent",
            "/bin/true"};
}

void start_and_exec(SandboxBackend& backend, int count, std::vector<BenchNumber>& out) {
    Cancel cancel;
    Spawner spawner;
    std::vector<double> starts, soon, bare, stops;
    for (int i = 0; i < count; ++i) {
        std::unique_ptr<Environment> environment;
        auto start = [&] {
            environment = backend.start({}, cancel);
            must_succeed(environment->main().exec({"/bin/true"}, {}, cancel));
        };
        starts.push_back(timed(start));
        std::unique_ptr<Environment> first = std::move(environment);
        soon.push_back(timed(start)); // too soon for what is prepared ahead
        first.reset();
        stops.push_back(timed([&] { environment.reset(); }));
        if (run_command(spawner, {"bwrap", "--version"}, {}, cancel).ok())
            bare.push_back(timed([&] { run_checked(spawner, bare_bubblewrap(), {}, cancel); }));
    }
    double yardstick = median(bare);
    out.push_back(milliseconds("sandbox start to first exec", starts, 2 * yardstick));
    out.push_back(milliseconds("the same, right after another", soon, 2 * yardstick));
    if (!bare.empty()) out.push_back(milliseconds("bare bubblewrap, start to end", bare));
    out.push_back(milliseconds("sandbox stop", stops));

    auto environment = backend.start({}, cancel);
    Sandbox& sandbox = environment->main();
    std::vector<double> execs;
    for (int i = 0; i < count * 5; ++i)
        execs.push_back(timed([&] { must_succeed(sandbox.exec({"/bin/true"}, {}, cancel)); }));
    out.push_back(milliseconds("exec in a running sandbox", execs, 2));
}

// Three overlay mounts and their unmounts, in a mount namespace of this thread alone; empty without
// the privilege.
std::vector<double> three_overlay_mounts(int count) {
    TempFolder folder("assay-bench");
    for (const char* name : {"lower", "upper", "work", "root"})
        RealFileSystem().make_folders(folder.path() / name);
    std::string base = folder.path().string();
    std::string options =
        fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", base);
    std::string target = base + "/root";
    std::vector<double> times;
    std::jthread([&] {
        if (::unshare(CLONE_FS | CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            return;
        for (int i = 0; i < count; ++i) {
            bool mounted = true;
            double time = timed([&] {
                for (int n = 0; n < 3 && mounted; ++n)
                    mounted =
                        ::mount("overlay", target.c_str(), "overlay", 0, options.c_str()) == 0 &&
                        ::umount(target.c_str()) == 0;
            });
            if (mounted) times.push_back(time);
        }
    }).join();
    return times;
}

void checkpoints(SandboxBackend& backend, std::vector<BenchNumber>& out) {
    if (!backend.capabilities().checkpoint) return;
    Cancel cancel;
    std::vector<double> times;
    for (int i = 0; i < 3; ++i) {
        auto environment = backend.start({}, cancel);
        std::string make = fmt::format(
            "mkdir -p /many && cd /many && for i in $(seq {}); do echo $i > f$i; done", kFiles);
        must_succeed(run_shell(environment->main(), make, {}, cancel));
        std::unique_ptr<Environment> second;
        times.push_back(timed([&] {
            auto checkpoint = environment->main().checkpoint(cancel);
            second = backend.start_from({}, checkpoint, cancel);
        }));
        ExecResult count = run_shell(second->main(), "ls /many | wc -l", {}, cancel);
        if (trim(count.out) != std::to_string(kFiles))
            throw Error(ErrorKind::Sandbox, "the checkpoint lacks files: " + count.out);
    }
    std::vector<double> mounts = three_overlay_mounts(20);
    std::string name = fmt::format("checkpoint and start of {} files", kFiles);
    out.push_back(milliseconds(std::move(name), times, mounts.empty() ? 0 : median(mounts)));
    if (!mounts.empty()) out.push_back(milliseconds("three overlay mounts and unmounts", mounts));
}

void many_live(SandboxBackend& backend, int count, std::vector<BenchNumber>& out) {
    Cancel cancel;
    std::vector<std::unique_ptr<Environment>> live;
    double start = timed([&] {
        for (int i = 0; i < count; ++i) live.push_back(backend.start({}, cancel));
    });
    std::vector<double> execs;
    for (auto& environment : live)
        execs.push_back(
            timed([&] { must_succeed(environment->main().exec({"/bin/true"}, {}, cancel)); }));
    out.push_back({fmt::format("starting {} sandboxes that stay", count), "sandboxes/s",
                   1e3 * count / start});
    out.push_back(milliseconds(fmt::format("exec in each of {} live sandboxes", count), execs, 2));
}

} // namespace

std::vector<BenchNumber> bench_sandbox(const BenchSettings& settings) {
    SandboxSettings sandbox = sandbox_settings(settings.state);
    auto backend = find_sandbox(settings.sandbox).make(sandbox);
    std::vector<BenchNumber> out;
    start_and_exec(*backend, std::clamp(static_cast<int>(settings.seconds * 10), 10, 200), out);
    checkpoints(*backend, out);
    many_live(*backend, settings.jobs > 0 ? settings.jobs : kLive, out);
    return out;
}

} // namespace assay
