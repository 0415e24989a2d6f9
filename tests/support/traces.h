// What the processes of a run live in that we do not: their namespaces and cgroups. After the run
// has ended, nothing may be left of it, whatever it is called.
#pragma once

#include "assay/base/fd.h"
#include "assay/base/fs.h"
#include "assay/base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace assay::test {

inline std::string slurp(const Path& file) {
    try {
        return RealFileSystem().read(file, 1 << 22);
    } catch (const std::exception&) {
        return ""; // the process has gone
    }
}

inline std::vector<int> all_processes() {
    std::vector<int> out;
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ec)) {
        std::string name = entry.path().filename();
        if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
            out.push_back(std::stoi(name));
    }
    return out;
}

class Traces {
  public:
    // Looks at the processes below `root` as they are now. May be called again and again.
    void look(int root) {
        std::map<int, int> parents;
        for (int pid : all_processes()) parents[pid] = parent_of(pid);
        std::set<std::string> own_cgroups = cgroups_of(::getpid());
        for (const auto& [pid, parent] : parents) {
            int at = pid;
            while (at > 1 && at != root && !pids_.contains(at)) at = parents[at];
            if (at <= 1) continue;
            pids_.insert(pid);
            if (std::string identity = identity_of(pid); !identity.empty())
                started_.insert(std::move(identity));
            for (const char* kind : kKinds) keep(pid, kind);
            for (const std::string& group : cgroups_of(pid))
                if (!own_cgroups.contains(group)) cgroups_.insert(group);
        }
    }

    std::size_t processes() const { return pids_.size(); }
    std::vector<int> named(std::string_view program) const {
        std::vector<int> out;
        for (int pid : pids_)
            if (trim(slurp(proc(pid, "comm"))) == program) out.push_back(pid);
        return out;
    }
    std::size_t namespaces() const { return namespaces_.size(); }

    // One line for each thing that is still there; also mounts that name `folder`.
    std::vector<std::string> left(const Path& folder) const {
        std::vector<std::string> out;
        for (int pid : all_processes()) {
            std::string name = "process " + std::to_string(pid) + " (" +
                               std::string(trim(slurp(proc(pid, "comm")))) + ")";
            if (started_.contains(identity_of(pid))) out.push_back(name);
            for (const char* kind : kKinds) {
                std::string space = space_of(pid, kind);
                if (namespaces_.contains(space)) out.push_back(name + " in " + space);
            }
        }
        std::error_code ec;
        for (const std::string& group : cgroups_) {
            if (std::filesystem::exists("/sys/fs/cgroup" + group)) out.push_back("cgroup " + group);
            for (const auto& root : std::filesystem::directory_iterator("/sys/fs/cgroup", ec))
                if (std::filesystem::exists(root.path().string() + group))
                    out.push_back("cgroup " + root.path().string() + group);
        }
        std::string mounts = slurp("/proc/self/mountinfo");
        for (std::string_view line : split_lines(mounts))
            if (line.find(folder.string()) != std::string_view::npos)
                out.push_back("mount " + std::string(line));
        return out;
    }

  private:
    // Not "mnt": an open descriptor would keep its mounts. A process in one is in the others too.
    static constexpr const char* kKinds[] = {"net", "pid", "user", "ipc", "uts"};

    static Path proc(int pid, const std::string& file) {
        return "/proc/" + std::to_string(pid) + "/" + file;
    }
    static std::string space_of(int pid, const std::string& kind) {
        std::error_code ec;
        return std::filesystem::read_symlink(proc(pid, "ns/" + kind), ec).string();
    }
    static int parent_of(int pid) {
        std::string stat = slurp(proc(pid, "stat"));
        std::size_t end = stat.rfind(')');
        int parent = 0;
        if (end != std::string::npos) std::sscanf(stat.c_str() + end, ") %*c %d", &parent);
        return parent;
    }
    // The number of a process and the tick of its start: numbers are given again. Empty: it has
    // ended, and only its parent has not asked.
    static std::string identity_of(int pid) {
        std::string stat = slurp(proc(pid, "stat"));
        std::size_t end = stat.rfind(')');
        if (end == std::string::npos || stat[end + 2] == 'Z') return {};
        auto fields = split(std::string_view(stat).substr(end + 2), ' ');
        return std::to_string(pid) + "@" + std::string(fields.at(19));
    }
    static std::set<std::string> cgroups_of(int pid) {
        std::set<std::string> out;
        std::string text = slurp(proc(pid, "cgroup"));
        for (std::string_view line : split_lines(text)) {
            auto parts = split(line, ':');
            if (parts.size() == 3 && parts[2] != "/") out.insert(std::string(parts[2]));
        }
        return out;
    }
    // Held open, so that the kernel gives its number to no later namespace of a test beside us.
    void keep(int pid, const std::string& kind) {
        if (space_of(pid, kind) == space_of(::getpid(), kind)) return;
        UniqueFd fd(::open(proc(pid, "ns/" + kind).c_str(), O_RDONLY | O_CLOEXEC));
        struct stat info;
        if (!fd || ::fstat(fd.get(), &info) != 0) return;
        namespaces_.emplace(kind + ":[" + std::to_string(info.st_ino) + "]", std::move(fd));
    }

    std::set<int> pids_;
    std::set<std::string> started_;
    std::map<std::string, UniqueFd> namespaces_;
    std::set<std::string> cgroups_;
};

} // namespace assay::test
