// Cgroup layouts of other machines: trees of plain files, with the names and formats of the
// kernel's. What only a kernel does (EBUSY, limits that hold) is not here but in
// tests/system/sandbox.
#include "assay/base/fs.h"
#include "catch.h"
#include "local/cgroups.h"

#include <unistd.h>

#include <filesystem>

using namespace assay;
using namespace assay::local;

namespace {

class Machine {
  public:
    Machine() { files_.make_folders(proc()); }

    Path proc() const { return folder_.path() / "proc"; }
    Path sys(const std::string& below) const {
        Path root = folder_.path() / "sys";
        return below.empty() ? root : root / below;
    }

    // A line of mountinfo, and the mount point.
    void mount(const std::string& type, const std::string& point, const std::string& options,
               const std::string& root = "/") {
        mounts_ += "41 31 0:38 " + root + " " + sys(point).string() + " rw,relatime shared:9 - " +
                   type + " " + type + " " + options + "\n";
        files_.write(proc() / "mountinfo", mounts_);
        files_.make_folders(sys(point));
    }

    void cgroup(const std::string& line) {
        groups_ += line + "\n";
        files_.write(proc() / "cgroup", groups_);
    }

    void write(const std::string& path, const std::string& text) {
        files_.make_folders(sys(path).parent_path());
        files_.write(sys(path), text);
    }

    std::string read(const std::string& path) { return files_.read(sys(path), 1 << 20); }

    // Our own cgroup of v2, and the kernel's files in those that we make below it.
    void v2(const std::string& own, const std::string& controllers, const std::string& procs) {
        write(own + "/cgroup.controllers", controllers);
        write(own + "/cgroup.procs", procs);
        write(own + "/cgroup.subtree_control", "");
        write(own + "/assay-self/cgroup.procs", "");
        write(own + "/assay-r/cgroup.subtree_control", "");
        for (const char* name : {"cgroup.procs", "cgroup.freeze", "cgroup.kill", "memory.max",
                                 "memory.swap.max", "pids.max", "cpu.max"})
            write(own + "/assay-r/s1/" + name, "");
    }

  private:
    TempFolder folder_;
    RealFileSystem files_;
    std::string mounts_, groups_;
};

ResourceLimits all_limits() {
    ResourceLimits limits;
    limits.pids = 64;
    limits.memory_bytes = 1 << 30;
    limits.cpus = 1.5;
    return limits;
}

const std::string kSelf = std::to_string(::getpid()) + "\n";

} // namespace

TEST_CASE("pure v2: alone in its cgroup, assay steps into a leaf and hands controllers down") {
    Machine machine;
    machine.mount("cgroup2", "", "rw,nsdelegate,memory_recursiveprot");
    machine.cgroup("0::/system.slice/run-1.scope");
    const std::string own = "system.slice/run-1.scope";
    machine.v2(own, "cpuset cpu io memory pids\n", kSelf);
    RunCgroups run("r", machine.proc());
    CHECK(machine.read(own + "/assay-self/cgroup.procs") == "0");
    // What a plain file is left with by "+cpu", "+memory" and "+pids", each written from its start.
    CHECK(machine.read(own + "/cgroup.subtree_control") == "+pidsry");
    CHECK(machine.read(own + "/assay-r/cgroup.subtree_control") == "+pidsry");
    const CgroupSupport& has = run.support();
    CHECK((has.cpu && has.memory && has.pids && has.usage && has.freeze));
    CHECK(has.notes.empty());
    CHECK(run.folders() == std::vector<std::string>{machine.sys(own + "/assay-r")});

    auto box = run.make("s1");
    CHECK(box->join() == std::vector<std::string>{machine.sys(own + "/assay-r/s1")});
    box->set_limits(all_limits());
    CHECK(machine.read(own + "/assay-r/s1/pids.max") == "64");
    CHECK(machine.read(own + "/assay-r/s1/memory.max") == "1073741824");
    CHECK(machine.read(own + "/assay-r/s1/memory.swap.max") == "0");
    CHECK(machine.read(own + "/assay-r/s1/cpu.max") == "150000 100000");
}

TEST_CASE("pure v2: usage, freeze and kill") {
    Machine machine;
    machine.mount("cgroup2", "", "rw");
    machine.cgroup("0::/a");
    machine.v2("a", "cpu memory pids\n", kSelf);
    const std::string box_folder = "a/assay-r/s1/";
    RunCgroups run("r", machine.proc());
    auto box = run.make("s1");
    ResourceUsage usage = box->usage(); // as on a kernel that lacks memory.peak and pids.peak
    CHECK(usage.memory_peak_bytes == -1);
    CHECK(usage.pids_peak == -1);
    CHECK(usage.cpu_seconds == -1);

    machine.write(box_folder + "memory.peak", "4096\n");
    machine.write(box_folder + "memory.events",
                  "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n");
    machine.write(box_folder + "pids.peak", "12\n");
    machine.write(box_folder + "pids.events", "max 5\n");
    machine.write(box_folder + "cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n"
                                           "nr_periods 4\nnr_throttled 3\nthrottled_usec 500000\n");
    usage = box->usage();
    CHECK(usage.memory_peak_bytes == 4096);
    CHECK(usage.oom_kills == 2);
    CHECK(usage.pids_peak == 12);
    CHECK(usage.pids_refused == 5);
    CHECK(usage.cpu_seconds == Approx(2.5));
    CHECK(usage.throttled_seconds == Approx(0.5));

    machine.write(box_folder + "cgroup.events", "populated 1\nfrozen 0\n");
    CHECK_FALSE(box->freeze()); // it did not happen in time, and was taken back
    CHECK(machine.read(box_folder + "cgroup.freeze") == "0");
    machine.write(box_folder + "cgroup.events", "populated 1\nfrozen 1\n");
    CHECK(box->freeze());
    CHECK(machine.read(box_folder + "cgroup.freeze") == "1");
    box->kill();
    CHECK(machine.read(box_folder + "cgroup.freeze") == "0");
    CHECK(machine.read(box_folder + "cgroup.kill") == "1");
}

TEST_CASE("pure v2: assay does not move where others are, whom it would leave behind") {
    for (const std::string& procs : {kSelf + "999999\n", "0\n" + kSelf, std::string()}) {
        Machine machine;
        machine.mount("cgroup2", "", "rw");
        machine.cgroup("0::/session-1.scope");
        machine.v2("session-1.scope", "memory pids\n", procs);
        RunCgroups run("r", machine.proc());
        CHECK(machine.read("session-1.scope/assay-self/cgroup.procs").empty());
    }
}

TEST_CASE("pure v2: below a login session root takes the nearest cgroup that hands down") {
    for (bool full : {true, false}) {
        Machine machine;
        machine.mount("cgroup2", "", "rw");
        machine.cgroup("0::/user.slice/u/session-1.scope");
        machine.v2("user.slice/u/session-1.scope", "memory pids\n", kSelf + "999999\n");
        std::filesystem::remove( // a folder refuses to be written, as the kernel does: EBUSY
            machine.sys("user.slice/u/session-1.scope/cgroup.subtree_control").string());
        std::filesystem::create_directory(
            machine.sys("user.slice/u/session-1.scope/cgroup.subtree_control").string());
        machine.v2("user.slice/u", "memory pids\n", "");
        machine.write("user.slice/u/cgroup.subtree_control", "memory pids\n");
        machine.v2("user.slice", "cpu memory pids\n", "");
        machine.write("user.slice/cgroup.subtree_control",
                      full ? "cpu io memory pids\n" : "memory pids\n");
        RunCgroups run("r", machine.proc());
        CHECK(run.folders() == std::vector<std::string>{machine.sys(
                                   full ? "user.slice/assay-r" : "user.slice/u/assay-r")});
        CHECK(run.support().memory);
        CHECK(run.support().pids);
        CHECK(run.support().cpu == full);
        // Nobody else is moved, and what others hand down is left as it is.
        CHECK(machine.read("user.slice/u/session-1.scope/assay-self/cgroup.procs").empty());
        CHECK(machine.read("user.slice/u/cgroup.subtree_control") == "memory pids\n");
    }
}

TEST_CASE("pure v2: a second run of one process finds the leaf and does not go deeper") {
    Machine machine;
    machine.mount("cgroup2", "", "rw");
    machine.cgroup("0::/a/assay-self");
    machine.v2("a", "memory pids\n", "");
    machine.write("a/assay-self/cgroup.procs", kSelf);
    RunCgroups run("r", machine.proc());
    CHECK(run.folders() == std::vector<std::string>{machine.sys("a/assay-r")});
    CHECK(run.support().memory);
}

TEST_CASE("pure v2: a controller that is not there is said, the rest works") {
    Machine machine;
    machine.mount("cgroup2", "", "rw");
    machine.cgroup("0::/a");
    machine.v2("a", "memory pids\n", kSelf);
    RunCgroups run("r", machine.proc());
    CHECK_FALSE(run.support().cpu);
    CHECK(run.support().notes == "not limited: cpu time (no writable cgroup); ");
    auto box = run.make("s1");
    box->set_limits(all_limits());
    CHECK(machine.read("a/assay-r/s1/cpu.max").empty());
    machine.write("a/assay-r/s1/cpu.stat", "usage_usec 1000000\n"); // there without controllers
    CHECK(box->usage().cpu_seconds == Approx(1));
}

TEST_CASE("v1: one hierarchy a controller, or two in one") {
    Machine machine;
    machine.mount("cgroup", "cpu,cpuacct", "rw,cpu,cpuacct");
    machine.mount("cgroup", "memory", "rw,memory", "/docker/1"); // shows a part only
    machine.mount("cgroup", "pids", "rw,pids");
    machine.mount("cgroup", "freezer", "rw,freezer");
    machine.mount("cgroup", "blkio", "rw,blkio"); // of no use to us
    machine.mount("cgroup", "systemd", "rw,name=systemd");
    for (const char* line : {"7:name=systemd:/x", "6:blkio:/x", "5:freezer:/x", "4:pids:/x",
                             "3:memory:/docker/1/in", "2:cpu,cpuacct:/x"})
        machine.cgroup(line);
    const std::string cpu = "cpu,cpuacct/x/assay-r/s1/", memory = "memory/in/assay-r/s1/",
                      pids = "pids/x/assay-r/s1/", freezer = "freezer/x/assay-r/s1/";
    for (const std::string& path :
         {cpu + "cpu.cfs_period_us", cpu + "cpu.cfs_quota_us", memory + "memory.limit_in_bytes",
          memory + "memory.memsw.limit_in_bytes", pids + "pids.max", freezer + "freezer.state"})
        machine.write(path, "");
    RunCgroups run("r", machine.proc());
    const CgroupSupport& has = run.support();
    CHECK((has.cpu && has.memory && has.pids && has.usage && has.freeze));
    CHECK(run.folders().size() == 4);
    auto box = run.make("s1");
    box->set_limits(all_limits());
    CHECK(machine.read(cpu + "cpu.cfs_period_us") == "100000");
    CHECK(machine.read(cpu + "cpu.cfs_quota_us") == "150000");
    CHECK(machine.read(memory + "memory.limit_in_bytes") == "1073741824");
    CHECK(machine.read(memory + "memory.memsw.limit_in_bytes") == "1073741824");
    CHECK(machine.read(pids + "pids.max") == "64");

    machine.write(cpu + "cpuacct.usage", "2500000000\n");
    machine.write(cpu + "cpu.stat", "nr_periods 4\nnr_throttled 3\nthrottled_time 500000000\n");
    machine.write(memory + "memory.max_usage_in_bytes", "4096\n");
    machine.write(memory + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    ResourceUsage usage = box->usage();
    CHECK(usage.cpu_seconds == Approx(2.5));
    CHECK(usage.throttled_seconds == Approx(0.5));
    CHECK(usage.memory_peak_bytes == 4096);
    CHECK(usage.oom_kills == 2);
    CHECK(box->freeze());
    CHECK(machine.read(freezer + "freezer.state") == "FROZEN");
    box->thaw();
    CHECK(machine.read(freezer + "freezer.state") == "THAWED");
}

TEST_CASE("hybrid: limits from v1; freeze, kill and processor time from v2") {
    Machine machine;
    machine.mount("cgroup", "memory", "rw,memory");
    machine.mount("cgroup2", "unified", "rw");
    machine.cgroup("3:memory:/m");
    machine.cgroup("0::/u");
    machine.v2("unified/u", "\n", kSelf);
    const std::string memory = "memory/m/assay-r/s1/", unified = "unified/u/assay-r/s1/";
    machine.write(memory + "memory.limit_in_bytes", "");
    RunCgroups run("r", machine.proc());
    CHECK(machine.read("unified/u/assay-self/cgroup.procs").empty()); // nothing to hand down
    CHECK(run.support().memory);
    CHECK(run.support().freeze);
    CHECK(run.support().notes ==
          "not limited: cpu time, the number of processes (no writable cgroup); ");
    auto box = run.make("s1");
    box->set_limits(all_limits());
    CHECK(machine.read(memory + "memory.limit_in_bytes") == "1073741824");
    CHECK(machine.read(unified + "memory.max").empty());
    machine.write(unified + "cpu.stat", "usage_usec 1000000\n");
    machine.write(unified + "cgroup.events", "frozen 1\n");
    CHECK(box->usage().cpu_seconds == Approx(1));
    CHECK(box->freeze());
    box->kill();
    CHECK(machine.read(unified + "cgroup.kill") == "1");
}

TEST_CASE("without a cgroup that can be written nothing is promised, and nothing fails") {
    Machine machine;
    RunCgroups none("r", machine.proc()); // no cgroups at all
    CHECK(none.folders().empty());
    CHECK(none.support().notes ==
          "not limited: cpu time, memory, the number of processes (no writable cgroup); ");
    auto box = none.make("s1");
    box->set_limits(all_limits());
    CHECK_FALSE(box->freeze());
    CHECK(box->usage().cpu_seconds == -1);

    // A folder may be made, but there is no cgroup.procs by which a process could be moved.
    machine.mount("cgroup2", "", "rw");
    machine.cgroup("0::/a");
    machine.write("a/cgroup.controllers", "memory\n");
    CHECK(RunCgroups("r", machine.proc()).folders().empty());
}
