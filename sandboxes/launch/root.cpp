// The root of a running sandbox is given, and later replaced, from outside: by a child of
// assay-launch that is root of the sandbox's user namespace and enters its mount namespace for it.
// Inside nobody may mount, and only pid 1 runs while it happens; pivot_root(2) takes pid 1 along.
//
// Mounts are made in a mount namespace of our own, where the machine's files can be named, and are
// carried over by descriptor. Nothing is ever mounted below another mount by a path that the
// sandbox could have changed: see open_mount_point.
#include "launch/launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace assay::launch {
namespace {

struct Mount {
    std::string at; // below the root; empty: the root itself
    int fd = -1;    // of a mount that is attached nowhere yet
};

// Why something failed, for the answer.
struct Failure {
    int error = 0;
    std::string stage;
    bool refused = false; // nothing was changed
};

int open_folder(const char* path) {
    return ::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

// Makes the folder `inside` below `root` and opens it, following no link. -1: errno.
int open_mount_point(int root, const std::string& inside) {
    int at = ::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::size_t from = 0;
    while (at >= 0 && from < inside.size()) {
        std::size_t to = inside.find('/', from);
        if (to == std::string::npos) to = inside.size();
        std::string part = inside.substr(from, to - from);
        from = to + 1;
        if (part.empty() || part == ".") continue;
        open_how how{};
        how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
        how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
        long next = -1;
        if (part == "..")
            errno = EINVAL;
        else if (::mkdirat(at, part.c_str(), 0755) == 0 || errno == EEXIST)
            next = ::syscall(SYS_openat2, at, part.c_str(), &how, sizeof how);
        int error = errno;
        ::close(at);
        errno = error;
        at = static_cast<int>(next);
    }
    return at;
}

// Whether open_mount_point would find folders, or nothing, on the way: the inside may have moved
// the parents of a mount away and put a link or a file in their place.
bool can_hold_mount(int root, const std::string& inside) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
    long fd =
        inside.empty() ? root : ::syscall(SYS_openat2, root, inside.c_str(), &how, sizeof how);
    if (fd < 0) return errno == ENOENT;
    if (fd != root) ::close(static_cast<int>(fd));
    return true;
}

int new_tmpfs() {
    int context = ::fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;
    if (context < 0) return -1;
    if (::fsconfig(context, FSCONFIG_SET_STRING, "size", "65536", 0) == 0 &&
        ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0)
        fd = ::fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    int error = errno;
    ::close(context);
    errno = error;
    return fd;
}

struct OverlayOptions {
    std::string lower, upper, work; // descriptors in /proc/self/fd: a path may hold ':'
};

// The quick way: nothing has to be unmounted again, which can cost an RCU grace period.
int overlay_by_fsconfig(const OverlayOptions& options) {
    int context = ::fsopen("overlay", FSOPEN_CLOEXEC), fd = -1;
    auto flag = [&](const char* key) {
        return ::fsconfig(context, FSCONFIG_SET_FLAG, key, nullptr, 0) == 0;
    };
    auto set = [&](const char* key, const std::string& value) {
        return ::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
    };
    if (context >= 0 && flag("userxattr") && flag("volatile") && set("lowerdir", options.lower) &&
        set("upperdir", options.upper) && set("workdir", options.work) &&
        ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0)
        fd = ::fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    int error = errno;
    ::close(context);
    errno = error;
    return fd;
}

// On its own upper, for want of a place that is ours, in a namespace that ends with us.
int overlay_by_mount(const OverlayOptions& options, const char* at) {
    std::string text = "userxattr,volatile,lowerdir=" + options.lower +
                       ",upperdir=" + options.upper + ",workdir=" + options.work;
    if (text.size() >= 4096) return errno = E2BIG, -1;
    if (::mount("overlay", at, "overlay", MS_NODEV, text.c_str()) != 0) return -1;
    int fd = ::open_tree(AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int error = errno;
    ::umount2(at, MNT_DETACH);
    errno = error;
    return fd;
}

// `layers`: upper, work, lowers from the top down. The options of mount(2) are a page long; one of
// fsconfig(2) ends at 255 bytes, some eighty layers.
int new_overlay(const std::vector<std::string>& layers) {
    std::vector<int> fds;
    for (const std::string& path : layers) fds.push_back(open_folder(path.c_str()));
    OverlayOptions options;
    bool good = layers.size() >= 3;
    for (std::size_t i = 0; i < fds.size(); i++) {
        good = good && fds[i] >= 0;
        if (i >= 2) options.lower += (i > 2 ? ":" : "") + std::to_string(fds[i]);
    }
    int fd = -1, error = ENOENT;
    if (good) {
        options.upper = std::to_string(fds[0]);
        options.work = std::to_string(fds[1]);
        if (::chdir("/proc/self/fd") == 0)
            fd = options.lower.size() <= 255 ? overlay_by_fsconfig(options)
                                             : overlay_by_mount(options, layers[0].c_str());
        error = errno;
        ::chdir("/");
    }
    for (int one : fds) ::close(one);
    errno = error;
    return fd;
}

// A folder of the machine, read-only with all that is mounted below it.
int read_only_copy(const std::string& path) {
    int fd = static_cast<int>(
        ::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
    if (fd >= 0 &&
        ::mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0)
        return -1;
    return fd;
}

bool attach(int mount, int at) {
    return ::move_mount(mount, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

// Makes `mounts` the root, of pid 1 too, and lets go of the old one. /proc and /dev go along with
// all that is mounted in them. In the sandbox's mount namespace. What was mounted in the old root
// is freed when this process ends: with 10,000 files in the cache that takes 15 ms, which nobody
// needs to wait for.
bool change_root(const std::vector<Mount>& mounts, Failure& why) {
    auto fail = [&](const char* stage, const std::string& at) {
        why = {errno, stage + at};
        return false;
    };
    int old = open_folder("/"), root = mounts.at(0).fd; // `old` stays open
    // On top of the old root at first: its name is the only one that is certain to be there.
    if (old < 0 || !attach(root, old)) return fail("attach the root", "");
    for (std::size_t i = 1; i < mounts.size(); i++) {
        int at = open_mount_point(root, mounts[i].at);
        if (at < 0 || !attach(mounts[i].fd, at)) return fail("mount at ", mounts[i].at);
        ::close(at);
        ::close(mounts[i].fd);
    }
    for (const char* kept : {"proc", "dev"}) {
        int from = ::openat(old, kept, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int to = open_mount_point(root, kept);
        if (from < 0 || to < 0 || !attach(from, to)) return fail("carry over /", kept);
        ::close(from);
        ::close(to);
    }
    // The old root comes to lie on top of the new one, whence it is taken away.
    if (::fchdir(root) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0)
        return fail("change the root", "");
    if (::umount2(".", MNT_DETACH) != 0) return fail("let go of the old root", "");
    ::close(root);
    return ::chdir("/") == 0;
}

// The root of a layer looks as the one below it. An owner that is not mapped here stays as it is.
bool copy_attributes(const std::string& from, const std::string& to) {
    constexpr uid_t kUnmapped = 65534;
    struct stat info;
    if (::stat(from.c_str(), &info) != 0) return false;
    if (info.st_uid != kUnmapped && info.st_gid != kUnmapped &&
        ::chown(to.c_str(), info.st_uid, info.st_gid) != 0)
        return false;
    return ::chmod(to.c_str(), info.st_mode & 07777) == 0;
}

bool prepare_mounts(wire::Reader& reader, std::vector<Mount>& mounts, Failure& why) {
    std::uint32_t count = reader.u32();
    for (std::uint32_t i = 0; reader.ok() && i < count; i++) {
        std::string at = reader.str();
        std::vector<std::string> layers = reader.list();
        why = {EBADMSG, "root message"};
        if (layers.size() < 3) return false;
        int fd = copy_attributes(layers[2], layers[0]) ? new_overlay(layers) : -1;
        why = {errno, "mount the overlay at /" + at + " of " + std::to_string(layers.size() - 2) +
                          " layers"};
        if (fd < 0) return false;
        mounts.push_back({at, fd});
    }
    count = reader.u32();
    for (std::uint32_t i = 0; reader.ok() && i < count; i++) {
        std::string from = reader.str(), at = reader.str();
        int fd = read_only_copy(from);
        why = {errno, "the folder " + from};
        if (fd < 0) return false;
        mounts.push_back({at, fd});
    }
    why = {EBADMSG, "root message"};
    return reader.done() && !mounts.empty();
}

// Another folder with the entries of `from` and its attributes. The overlay that still knows `from`
// as its upper is then no overlay of what lies there.
bool move_entries(const std::string& from, const std::string& to) {
    DIR* folder = ::opendir(from.c_str());
    bool good = folder != nullptr && ::mkdir(to.c_str(), 0700) == 0 && copy_attributes(from, to);
    int source = folder != nullptr ? ::dirfd(folder) : -1;
    int target = good ? ::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    good = good && target >= 0;
    static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
    ssize_t size = good ? ::flistxattr(source, names, sizeof names) : 0;
    if (size < 0 && errno == EOPNOTSUPP) size = 0;
    for (ssize_t at = 0; good && at < size;
         at += static_cast<ssize_t>(std::strlen(names + at)) + 1) {
        ssize_t n = ::fgetxattr(source, names + at, value, sizeof value);
        good = n >= 0 && ::fsetxattr(target, names + at, value, static_cast<size_t>(n), 0) == 0;
    }
    while (dirent* entry = good ? ::readdir(folder) : nullptr) {
        std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            good = ::renameat(source, entry->d_name, target, entry->d_name) == 0;
    }
    int error = errno;
    if (folder != nullptr) ::closedir(folder);
    if (target >= 0) ::close(target);
    errno = error;
    return good && size >= 0;
}

// In the sandbox's mount namespace, while nothing is changed yet. `reader`: as for prepare_mounts.
bool mounts_will_fit(wire::Reader reader, Failure& why) {
    int root = open_folder("/");
    auto fits = [&](const std::string& at) {
        if (can_hold_mount(root, at)) return true;
        why = {errno, "no folder can be mounted at " + at};
        return false;
    };
    bool good = root >= 0;
    std::uint32_t count = reader.u32();
    for (std::uint32_t i = 0; good && reader.ok() && i < count; i++) {
        good = fits(reader.str());
        reader.list();
    }
    count = reader.u32();
    for (std::uint32_t i = 0; good && reader.ok() && i < count; i++) {
        reader.str();
        good = fits(reader.str());
    }
    ::close(root);
    return good;
}

// Pid 1 gets an empty root; then nobody can use the layer `from`, and its content moves to `to`.
bool seal(const std::string& from, const std::string& to, const wire::Reader& mounts, int box,
          int ours, Failure& why) {
    int empty = new_tmpfs();
    why = {errno, "an empty root"};
    if (empty < 0) return false;
    if (::setns(box, CLONE_NEWNS) != 0) return why.error = errno, false;
    if (!mounts_will_fit(mounts, why)) return why.refused = true, false;
    std::uint32_t uppers = wire::Reader(mounts).u32();
    if (!change_root({{"", empty}}, why)) return false;
    bool good = ::setns(ours, CLONE_NEWNS) == 0 && ::mkdir(to.c_str(), 0711) == 0;
    for (std::uint32_t i = 0; good && i < uppers; i++) {
        std::string name = "/u" + std::to_string(i);
        good = move_entries(from + name, to + name);
    }
    why = {errno, "seal " + from};
    return good;
}

} // namespace

int set_root(const wire::Message& message, std::string& stage, bool& refused) {
    Failure why{EBADMSG, "root message"};
    wire::Reader reader(message.payload);
    std::string host = reader.str(), from = reader.str(), to = reader.str();
    std::vector<Mount> mounts;
    int ours = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    bool good = message.fds.size() == 2 && reader.ok() && ours >= 0;
    int box = good ? message.fds[0] : -1, uts = good ? message.fds[1] : -1;
    good = good && (from.empty() || seal(from, to, reader, box, ours, why)) &&
           prepare_mounts(reader, mounts, why);
    if (good && (::setns(uts, CLONE_NEWUTS) != 0 || ::sethostname(host.data(), host.size()) != 0 ||
                 ::setns(box, CLONE_NEWNS) != 0)) {
        why = {errno, "enter the sandbox"};
        good = false;
    }
    good = good && change_root(mounts, why);
    stage = why.stage;
    refused = why.refused;
    return good ? 0 : why.error != 0 ? why.error : EIO;
}

} // namespace assay::launch
