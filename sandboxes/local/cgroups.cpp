#include "local/cgroups.h"

#include "assay/base/fd.h"
#include "assay/base/log.h"
#include "assay/base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace assay::local {
namespace {

std::string slurp(const Path& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

bool put(const Path& path, std::string_view text) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::int64_t number_in(const Path& path) {
    std::int64_t value = -1;
    std::string text = slurp(path);
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// "key 123" lines.
std::int64_t field_in(const Path& path, std::string_view key) {
    std::string text = slurp(path);
    for (std::string_view line : split_lines(text)) {
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ')
            continue;
        std::int64_t value = -1;
        line.remove_prefix(key.size() + 1);
        std::from_chars(line.data(), line.data() + line.size(), value);
        return value;
    }
    return -1;
}

bool has(const std::vector<std::string>& list, std::string_view item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}

std::vector<std::string> words(std::string_view text, char by) {
    std::vector<std::string> out;
    for (std::string_view word : split(trim(text), by))
        if (!word.empty()) out.emplace_back(word);
    return out;
}

// A mount of a hierarchy, and our own cgroup in it.
struct Mounted {
    bool v2 = false;
    std::string controllers; // v1: of the super options
    Path own;
};

// Where /proc/self/cgroup says we are, below the mount point (a mount may show only a part).
Path own_folder(const std::string& mount_point, const std::string& root, const std::string& path) {
    std::string rest = path;
    if (root != "/" && (rest == root || rest.starts_with(root + "/"))) rest.erase(0, root.size());
    if (rest.find("..") != std::string::npos) rest = "/";
    return Path(mount_point + (rest == "/" ? "" : rest));
}

std::vector<Mounted> find_hierarchies(const Path& proc_self) {
    std::vector<Mounted> out;
    std::string mounts = slurp(proc_self / "mountinfo"), groups = slurp(proc_self / "cgroup");
    for (std::string_view line : split_lines(mounts)) {
        std::vector<std::string> f = words(line, ' ');
        auto dash = std::find(f.begin(), f.end(), "-");
        if (f.size() < 10 || f.end() - dash < 4) continue;
        const std::string &type = dash[1], &options = dash[3];
        if (type != "cgroup" && type != "cgroup2") continue;
        for (std::string_view group : split_lines(groups)) {
            std::vector<std::string_view> parts = split(group, ':');
            if (parts.size() < 3) continue;
            std::string names(parts[1]);
            bool v2 = type == "cgroup2";
            if (v2 != (parts[0] == "0" && names.empty())) continue;
            std::vector<std::string> have = words(options, ','), want = words(names, ',');
            if (!v2 && (want.empty() || !has(have, want[0]))) continue;
            std::string path(group.substr(parts[0].size() + parts[1].size() + 2));
            out.push_back({v2, names, own_folder(f[4], f[3], path)});
            break;
        }
    }
    return out;
}

constexpr const char* kLeaf = "assay-self";

// v2 lets a cgroup other than the root hand controllers down only while it has no process of its
// own (else EBUSY). If all that is in ours is ourselves, we step down into a leaf, for good.
void step_down(const Path& own) {
    std::vector<std::string> pids = words(slurp(own / "cgroup.procs"), '\n');
    std::string self = std::to_string(::getpid());
    if (pids.empty() || std::any_of(pids.begin(), pids.end(), [&](const std::string& pid) {
            return pid != self; // "0": of a pid namespace that we cannot see
        }))
        return;
    Path leaf = own / kLeaf;
    ::mkdir(leaf.c_str(), 0755);
    put(leaf / "cgroup.procs", "0");
}

bool hand_down(const Path& cgroup, const std::string& controller) {
    return put(cgroup / "cgroup.subtree_control", "+" + controller);
}

std::vector<std::string> useful(const std::string& controllers) {
    std::vector<std::string> names = words(controllers, ' ');
    std::erase_if(names, [](const std::string& name) {
        return name != "cpu" && name != "memory" && name != "pids";
    });
    return names;
}

// Those that our own cgroup hands down from now on.
std::vector<std::string> hand_down_from(const Path& own) {
    std::vector<std::string> names = useful(slurp(own / "cgroup.controllers"));
    if (!names.empty()) step_down(own);
    std::erase_if(names, [&](const std::string& name) { return !hand_down(own, name); });
    return names;
}

} // namespace

void RunCgroups::open_v1(const Path& own, const std::string& controllers,
                         const std::string& run_id) {
    static constexpr std::string_view kUseful[] = {"cpu", "cpuacct", "memory", "pids", "freezer"};
    std::vector<std::string> names;
    for (const std::string& name : words(controllers, ','))
        if (std::find(std::begin(kUseful), std::end(kUseful), name) != std::end(kUseful))
            names.push_back(name);
    Path folder = own / ("assay-" + run_id);
    if (names.empty() || (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)) return;
    runs_.push_back({folder, false, names});
}

// In our own cgroup, or in one above it: a login session's has other processes, always, but those
// above it hand their controllers down already. Only root may use them.
void RunCgroups::open_v2(Path own, const std::string& run_id) {
    if (own.filename() == kLeaf) own = own.parent_path(); // an earlier run stepped down
    SandboxCgroup::Folder best;
    best.v2 = true;
    for (Path parent = own;; parent = parent.parent_path()) {
        // To move a process takes a writable cgroup.procs in the common ancestor, beside the
        // folder.
        if (::access((parent / "cgroup.procs").c_str(), W_OK) != 0) break;
        std::vector<std::string> names =
            parent == own ? hand_down_from(own) : useful(slurp(parent / "cgroup.subtree_control"));
        if (!best.path.empty() && names.size() <= best.controllers.size()) continue;
        Path folder = parent / ("assay-" + run_id);
        if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) break;
        std::erase_if(names, [&](const std::string& n) { return !hand_down(folder, n); });
        if (!best.path.empty()) ::rmdir(best.path.c_str());
        best.path = folder;
        best.controllers = names;
    }
    if (best.path.empty()) return;
    std::vector<std::string> ours = useful(slurp(own / "cgroup.controllers"));
    if (best.controllers.size() < ours.size())
        why_not_ = "other processes are in our cgroup; start assay in one of its own, for instance "
                   "by systemd-run --scope -p Delegate=yes";
    runs_.push_back(std::move(best));
}

RunCgroups::RunCgroups(const std::string& run_id, const Path& proc_self) {
    for (const Mounted& m : find_hierarchies(proc_self)) {
        if (m.v2)
            open_v2(m.own, run_id);
        else
            open_v1(m.own, m.controllers, run_id);
    }
    for (const SandboxCgroup::Folder& run : runs_) {
        support_.cpu |= has(run.controllers, "cpu");
        support_.memory |= has(run.controllers, "memory");
        support_.pids |= has(run.controllers, "pids");
        support_.usage |=
            run.v2 || has(run.controllers, "memory") || has(run.controllers, "cpuacct");
        support_.freeze |= run.v2 || has(run.controllers, "freezer");
    }
    std::string missing;
    auto miss = [&](bool there, const char* what) {
        if (!there) missing += (missing.empty() ? "" : ", ") + std::string(what);
    };
    miss(support_.cpu, "cpu time");
    miss(support_.memory, "memory");
    miss(support_.pids, "the number of processes");
    if (!missing.empty()) support_.notes = "not limited: " + missing + " (" + why_not_ + "); ";
}

RunCgroups::~RunCgroups() {
    for (const auto& run : runs_) ::rmdir(run.path.c_str());
}

std::vector<std::string> RunCgroups::folders() const {
    std::vector<std::string> out;
    for (const auto& run : runs_) out.push_back(run.path.string());
    return out;
}

std::unique_ptr<SandboxCgroup> RunCgroups::make(const std::string& name) {
    auto out = std::make_unique<SandboxCgroup>();
    for (const SandboxCgroup::Folder& run : runs_) {
        SandboxCgroup::Folder folder{run.path / name, run.v2, run.controllers};
        if (::mkdir(folder.path.c_str(), 0755) != 0 && errno != EEXIST)
            throw io_error("make cgroup " + folder.path.string(), errno);
        out->folders_.push_back(std::move(folder));
    }
    return out;
}

SandboxCgroup::~SandboxCgroup() {
    for (const Folder& folder : folders_)
        for (int i = 0; i < 50 && ::rmdir(folder.path.c_str()) != 0 && errno == EBUSY; i++)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

std::vector<std::string> SandboxCgroup::join() const {
    std::vector<std::string> out;
    for (const Folder& folder : folders_) out.push_back(folder.path.string());
    return out;
}

const SandboxCgroup::Folder* SandboxCgroup::with(std::string_view controller) const {
    for (const Folder& folder : folders_)
        if (has(folder.controllers, controller)) return &folder;
    return nullptr;
}

void SandboxCgroup::set_limits(const ResourceLimits& limits) {
    auto must = [](bool done, const char* what) {
        if (!done) throw io_error(std::string("set the limit of ") + what, errno);
    };
    if (const Folder* f = limits.pids ? with("pids") : nullptr)
        must(put(f->path / "pids.max", std::to_string(*limits.pids)), "processes");
    if (const Folder* f = limits.memory_bytes ? with("memory") : nullptr) {
        std::string bytes = std::to_string(*limits.memory_bytes);
        if (f->v2) {
            must(put(f->path / "memory.max", bytes), "memory");
            put(f->path / "memory.swap.max", "0");
        } else {
            must(put(f->path / "memory.limit_in_bytes", bytes), "memory");
            put(f->path / "memory.memsw.limit_in_bytes", bytes); // memory and swap together
        }
    }
    if (const Folder* f = limits.cpus ? with("cpu") : nullptr) {
        auto quota = static_cast<std::int64_t>(std::max(*limits.cpus, 0.01) * 100'000);
        if (f->v2)
            must(put(f->path / "cpu.max", std::to_string(quota) + " 100000"), "cpu time");
        else
            must(put(f->path / "cpu.cfs_period_us", "100000") &&
                     put(f->path / "cpu.cfs_quota_us", std::to_string(quota)),
                 "cpu time");
    }
}

ResourceUsage SandboxCgroup::usage() const {
    ResourceUsage out;
    auto scaled = [](std::int64_t value, double unit) {
        return value < 0 ? -1.0 : static_cast<double>(value) * unit;
    };
    if (const Folder* f = with("memory")) {
        out.memory_peak_bytes =
            number_in(f->path / (f->v2 ? "memory.peak" : "memory.max_usage_in_bytes"));
        out.oom_kills =
            field_in(f->path / (f->v2 ? "memory.events" : "memory.oom_control"), "oom_kill");
    }
    if (const Folder* f = with("pids")) {
        out.pids_peak = number_in(f->path / "pids.peak");
        out.pids_refused = field_in(f->path / "pids.events", "max");
    }
    if (const Folder* f = with("cpu")) {
        out.throttled_seconds =
            f->v2 ? scaled(field_in(f->path / "cpu.stat", "throttled_usec"), 1e-6)
                  : scaled(field_in(f->path / "cpu.stat", "throttled_time"), 1e-9);
        if (f->v2) out.cpu_seconds = scaled(field_in(f->path / "cpu.stat", "usage_usec"), 1e-6);
    }
    if (const Folder* f = with("cpuacct"))
        out.cpu_seconds = scaled(number_in(f->path / "cpuacct.usage"), 1e-9);
    if (out.cpu_seconds < 0) // cgroup2 accounts time even where it has no controllers
        for (const Folder& f : folders_)
            if (f.v2) out.cpu_seconds = scaled(field_in(f.path / "cpu.stat", "usage_usec"), 1e-6);
    return out;
}

bool SandboxCgroup::freeze() {
    for (const Folder& f : folders_) {
        bool v1 = has(f.controllers, "freezer");
        if (!f.v2 && !v1) continue;
        if (!put(f.path / (v1 ? "freezer.state" : "cgroup.freeze"), v1 ? "FROZEN" : "1")) continue;
        for (int i = 0; i < 1000; i++) {
            if (v1 ? trim(slurp(f.path / "freezer.state")) == "FROZEN"
                   : field_in(f.path / "cgroup.events", "frozen") == 1)
                return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        thaw();
    }
    return false;
}

void SandboxCgroup::thaw() {
    for (const Folder& f : folders_) {
        if (f.v2) put(f.path / "cgroup.freeze", "0");
        if (has(f.controllers, "freezer")) put(f.path / "freezer.state", "THAWED");
    }
}

void SandboxCgroup::kill() {
    thaw();
    for (const Folder& f : folders_) {
        if (f.v2 && put(f.path / "cgroup.kill", "1")) continue;
        for (const std::string& text : words(slurp(f.path / "cgroup.procs"), '\n')) {
            int pid = std::atoi(text.c_str()); // 0: of a pid namespace that we cannot see
            if (pid > 0) ::kill(pid, SIGKILL);
        }
    }
}

} // namespace assay::local
