#include "launch/launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

namespace assay::launch {

bool write_file(const std::string& path, std::string_view text) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool good = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    int error = errno;
    ::close(fd);
    errno = error;
    return good;
}

bool is_v1(const std::string& cgroup) {
    return ::access((cgroup + "/tasks").c_str(), F_OK) == 0;
}

namespace {

void sleep_ms(long ms) {
    timespec time{ms / 1000, (ms % 1000) * 1'000'000};
    ::nanosleep(&time, nullptr);
}

template<class Visit>
void each_subfolder(const std::string& path, const Visit& visit) {
    if (DIR* folder = ::opendir(path.c_str())) {
        while (dirent* entry = ::readdir(folder)) {
            if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
            each_subfolder(path + "/" + entry->d_name, visit);
        }
        ::closedir(folder);
    }
    visit(path);
}

// SIGKILL to all that is in the cgroup itself; how many there were.
int kill_members(const std::string& path) {
    FILE* list = ::fopen((path + "/cgroup.procs").c_str(), "re");
    if (list == nullptr) return 0;
    int count = 0, pid = 0;
    while (std::fscanf(list, "%d", &pid) == 1) {
        if (pid > 1) ::kill(pid, SIGKILL);
        count++;
    }
    ::fclose(list);
    return count;
}

} // namespace

// Order: thaw (a frozen v1 process does not die), kill by cgroup, kill our children (bubblewrap;
// its pid 1 dies with it), wait for all of them (as their reaper), then the cgroups, then files.
void kill_everything(const Config& config, std::vector<pid_t>& children) {
    for (int round = 0; round < 200; round++) {
        int left = 0;
        for (const std::string& cgroup : config.cgroups) {
            write_file(cgroup + "/cgroup.kill", "1");
            each_subfolder(cgroup, [&](const std::string& path) {
                write_file(path + "/freezer.state", "THAWED");
                left += kill_members(path);
            });
        }
        if (round == 0)
            for (pid_t pid : children) ::kill(pid, SIGKILL);
        pid_t pid;
        while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
        }
        if (pid < 0 && errno == ECHILD && left == 0) break;
        sleep_ms(round < 20 ? 2 : 10);
    }
    for (int round = 0; round < 50; round++) {
        bool gone = true;
        for (const std::string& cgroup : config.cgroups) {
            each_subfolder(cgroup, [](const std::string& path) { ::rmdir(path.c_str()); });
            gone = gone && ::access(cgroup.c_str(), F_OK) != 0;
        }
        if (gone) break;
        sleep_ms(10);
    }
    if (remove_tree(config.scratch) == 0) return;
    // Files of users that only exist inside: their namespace's root can delete them.
    if (new_user_namespace(config, 0) == 0) remove_tree(config.scratch);
}

} // namespace assay::launch
