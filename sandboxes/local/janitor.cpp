#include "local/janitor.h"

#include "assay/base/log.h"
#include "assay/base/text.h"
#include "assay/sandboxes/local.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>

namespace assay::local {
namespace {

// "name:start:count" lines; the first range of this user with more than one id.
std::string find_range(const char* table, const std::string& name, unsigned id) {
    std::ifstream in(table);
    for (std::string line; std::getline(in, line);) {
        std::vector<std::string_view> f = split(line, ':');
        if (f.size() == 3 && (f[0] == name || f[0] == std::to_string(id)))
            return "0 " + std::to_string(id) + " 1 1 " + std::string(f[1]) + " " +
                   std::to_string(std::min(65535l, std::atol(std::string(f[2]).c_str())));
    }
    return {};
}

int start_helper(const Path& program, std::vector<std::string> argv,
                 const std::vector<int>& descriptors) {
    std::vector<char*> args;
    for (std::string& arg : argv) args.push_back(arg.data());
    args.push_back(nullptr);
    // Through high numbers, so that no source is overwritten before it is used.
    std::vector<UniqueFd> high;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (std::size_t i = 0; i < descriptors.size(); i++) {
        high.emplace_back(::fcntl(descriptors[i], F_DUPFD_CLOEXEC, 16));
        posix_spawn_file_actions_adddup2(&actions, high.back().get(), static_cast<int>(i) + 3);
    }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, static_cast<int>(descriptors.size()) + 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* env[] = {path, nullptr};
    pid_t pid = -1;
    int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, args.data(), env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) throw io_error("start " + program.string(), error);
    return pid;
}

std::vector<std::string> janitor_arguments(const Path& folder, const Path& helpers,
                                           const UserMapping& users,
                                           const std::vector<std::string>& cgroups) {
    Path bwrap = find_program("bwrap");
    std::vector<std::string> out = {"assay-launch",
                                    folder.string(),
                                    bwrap.string(),
                                    find_helper(helpers, "assay-init").string(),
                                    std::to_string(users.flags),
                                    users.uids,
                                    users.gids};
    out.insert(out.end(), cgroups.begin(), cgroups.end());
    return out;
}

void wait_for(int pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}

UniqueFd open_lock(const Path& folder, bool create) {
    Path path = folder / "lock";
    return UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600));
}

} // namespace

UserMapping find_user_mapping() {
    UserMapping out;
    if (::geteuid() == 0) return out;
    out.flags = wire::kOneUser;
    passwd* entry = ::getpwuid(::geteuid());
    std::string name = entry != nullptr ? entry->pw_name : "";
    std::string uids = find_range("/etc/subuid", name, ::geteuid());
    std::string gids = find_range("/etc/subgid", name, ::getegid());
    if (uids.empty() || gids.empty() || find_program("newuidmap").empty()) return out;
    return {wire::kSubordinate, uids, gids};
}

Path find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::string list = path != nullptr ? path : "";
    list += ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    for (std::string_view folder : split(list, ':')) {
        Path full = Path(folder) / name;
        if (!folder.empty() && ::access(full.c_str(), X_OK) == 0) return full;
    }
    return {};
}

Path find_helper(const Path& folder, const std::string& name) {
    std::error_code ec;
    Path self = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
    Path full = (folder.empty() ? self : folder) / name;
    if (::access(full.c_str(), X_OK) != 0)
        throw Error(ErrorKind::Unsupported, "the helper program " + full.string() + " is missing")
            .hint("install it beside assay: build the targets assay-launch and assay-init");
    return full;
}

Janitor::Janitor(const Path& scratch, const std::string& run_id, const Path& helpers,
                 UniqueFd filter)
    : folder_(scratch / run_id)
    , cgroups_(run_id)
    , users_(find_user_mapping()) {
    if (find_program("bwrap").empty())
        throw Error(ErrorKind::Unsupported, "bwrap (bubblewrap) is not installed")
            .hint("install the package bubblewrap");
    RealFileSystem files;
    files.make_folders(folder_);
    ::chmod(folder_.c_str(), 0711); // the inside's root may be another uid
    lock_ = open_lock(folder_, true);
    if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
        throw io_error("lock the run's folder " + folder_.string(), errno);
    std::string list;
    for (const std::string& cgroup : cgroups_.folders()) list += cgroup + "\n";
    files.write(folder_ / "cgroups", list, 0600);
    auto [ours, theirs] = message_sockets();
    pid_ = start_helper(find_helper(helpers, "assay-launch"),
                        janitor_arguments(folder_, helpers, users_, cgroups_.folders()),
                        {theirs.get(), lock_.get(), filter.get()});
    socket_ = std::move(ours);
}

Janitor::~Janitor() {
    socket_.reset();
    wait_for(pid_);
}

UniqueFd Janitor::prepare(const std::vector<std::string>& cgroups, int user_ns, int net_ns) {
    auto [ours, theirs] = message_sockets();
    wire::Writer message;
    message
        .u32((user_ns >= 0 ? wire::kJoinUser : 0u) | (net_ns >= 0 ? wire::kJoinNet : 0u) |
             (net_ns == kMachine ? wire::kKeepNet : 0u))
        .list(cgroups);
    std::vector<int> fds = {theirs.get()};
    if (user_ns >= 0) fds.push_back(user_ns);
    if (net_ns >= 0) fds.push_back(net_ns);
    std::lock_guard lock(mutex_);
    int error = wire::send_message(socket_.get(), wire::Op::Prepare, 0, message.data(), fds);
    if (error == EPIPE || error == ECONNRESET)
        throw SandboxLost("the run's helper process assay-launch has died");
    if (error != 0) throw io_error("ask for a sandbox", error);
    return std::move(ours);
}

void Janitor::run_helper(const std::vector<std::string>& argv, const std::vector<int>& fds) {
    std::lock_guard lock(mutex_);
    int error = wire::send_message(socket_.get(), wire::Op::Helper, 0,
                                   wire::Writer().list(argv).data(), fds);
    if (error != 0) throw io_error("start " + argv.at(0), error);
}

} // namespace assay::local

namespace assay {

std::vector<std::string> collect_leftovers(const Path& scratch, const Path& helpers) {
    std::vector<std::string> out;
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(scratch, ec)) {
        UniqueFd lock = local::open_lock(entry.path(), false);
        if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue; // not a run, or alive
        std::vector<std::string> cgroups;
        std::ifstream list(entry.path() / "cgroups");
        for (std::string line; std::getline(list, line);)
            if (!line.empty()) cgroups.push_back(line);
        // A janitor whose assay is already gone does just what is wanted.
        auto [ours, theirs] = local::message_sockets();
        ours.reset();
        local::UserMapping users = local::find_user_mapping();
        int pid =
            local::start_helper(local::find_helper(helpers, "assay-launch"),
                                local::janitor_arguments(entry.path(), helpers, users, cgroups),
                                {theirs.get(), lock.get(), lock.get()});
        local::wait_for(pid);
        out.push_back(entry.path().filename().string());
    }
    return out;
}

} // namespace assay
