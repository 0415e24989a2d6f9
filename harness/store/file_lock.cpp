#include "file_lock.h"

#include "assay/base/error.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace assay {

namespace {

Path lock_path(const Path& database) {
    Path path = database;
    path += "-lock";
    return path;
}

struct flock whole_file(short type) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

// The last holder may have removed the file between our open and our lock.
bool still_there(int fd, const Path& path) {
    struct stat ours{}, named{};
    return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

std::string holder(int fd) {
    char buffer[32];
    ssize_t n = ::pread(fd, buffer, sizeof buffer, 0);
    std::string pid(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return pid.empty() ? "another process" : "process " + pid;
}

} // namespace

FileLock::FileLock(const Path& database)
    : path_(lock_path(database)) {
    for (;;) {
        fd_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
        if (!fd_) throw io_error("create " + path_.string(), errno);
        struct flock lock = whole_file(F_WRLCK);
        if (::fcntl(fd_.get(), F_OFD_SETLK, &lock) != 0) {
            if (errno == EINTR) continue;
            // ENOLCK and the like: no locks on this file system. SQLite's own exclusive lock, taken
            // by the fallback for such file systems, keeps a second writer out, or nothing can.
            if (errno != EAGAIN && errno != EACCES) return;
            throw Error(ErrorKind::Usage,
                        "open " + database.string() + ": " + holder(fd_.get()) + " is writing it")
                .hint("wait until it ends; show, list and report may read the run meanwhile");
        }
        if (still_there(fd_.get(), path_)) break;
    }
    mine_ = true;
    std::string pid = std::to_string(::getpid()) + "\n";
    // Only for the message above: a failure (disk full) takes nothing from the lock.
    if (::ftruncate(fd_.get(), 0) == 0) [[maybe_unused]]
        ssize_t n = ::pwrite(fd_.get(), pid.data(), pid.size(), 0);
}

FileLock::~FileLock() {
    if (mine_) ::unlink(path_.c_str());
}

bool FileLock::held(const Path& database) {
    Path path = lock_path(database);
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return false;
    struct flock lock = whole_file(F_WRLCK);
    // Asks only: taking the lock, even for a moment, could refuse a writer that starts now.
    return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

} // namespace assay
