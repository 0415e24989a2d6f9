#include "launch/launch.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace assay::launch {
namespace {

// How many ids from 0 on we have ourselves: assay may already run in a user namespace.
unsigned long identity_count(const char* map) {
    FILE* file = ::fopen(map, "re");
    if (file == nullptr) return 1;
    unsigned long inside = 0, outside = 0, count = 0;
    int n = std::fscanf(file, "%lu %lu %lu", &inside, &outside, &count);
    ::fclose(file);
    if (n != 3 || inside != 0) return 1;
    return count > 65536 ? 65536 : count;
}

bool run_map_tool(const char* tool, pid_t target, const std::vector<std::string>& ranges) {
    pid_t pid = ::fork();
    if (pid == 0) {
        std::string who = std::to_string(target);
        std::vector<char*> args = {const_cast<char*>(tool), who.data()};
        for (const std::string& range : ranges) args.push_back(const_cast<char*>(range.c_str()));
        args.push_back(nullptr);
        char path[] = "PATH=/usr/bin:/bin:/usr/local/bin";
        char* env[] = {path, nullptr};
        ::execvpe(tool, args.data(), env);
        ::_exit(127);
    }
    int status = 0;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

} // namespace

int map_users(pid_t target, const Config& config) {
    if ((config.flags & wire::kSubordinate) != 0)
        return run_map_tool("newuidmap", target, config.uid_ranges) &&
                       run_map_tool("newgidmap", target, config.gid_ranges)
                   ? 0
                   : EPERM;
    std::string base = "/proc/" + std::to_string(target);
    std::string uids, gids;
    if ((config.flags & wire::kOneUser) != 0) {
        uids = "0 " + std::to_string(::geteuid()) + " 1";
        gids = "0 " + std::to_string(::getegid()) + " 1";
        if (!write_file(base + "/setgroups", "deny")) return errno;
    } else {
        uids = "0 0 " + std::to_string(identity_count("/proc/self/uid_map"));
        gids = "0 0 " + std::to_string(identity_count("/proc/self/gid_map"));
    }
    if (!write_file(base + "/uid_map", uids)) return errno;
    if (!write_file(base + "/gid_map", gids)) return errno;
    return 0;
}

// The namespace is mapped from outside it: by a helper of ours that stays behind.
int new_user_namespace(const Config& config, int others) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return errno;
    pid_t self = ::getpid();
    pid_t helper = ::fork();
    if (helper < 0) return errno;
    if (helper == 0) {
        ::close(pair[0]);
        char byte = 0;
        if (::read(pair[1], &byte, 1) != 1) ::_exit(1);
        int error = map_users(self, config);
        ::_exit(::write(pair[1], &error, sizeof error) == sizeof error ? 0 : 1);
    }
    ::close(pair[1]);
    int error = ::unshare(CLONE_NEWUSER | others) == 0 ? 0 : errno;
    if (error == 0 &&
        (::write(pair[0], "g", 1) != 1 || ::read(pair[0], &error, sizeof error) != sizeof error))
        error = EPIPE;
    ::close(pair[0]);
    ::waitpid(helper, nullptr, 0);
    return error;
}

int loopback_up() {
    int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    int error = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
    ::close(fd);
    return error;
}

} // namespace assay::launch
