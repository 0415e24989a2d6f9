// put and get, inside the sandbox's root and as its root user: a link can lead to nothing that the
// sandbox does not have, and /proc's magic links are not followed at all. What is at a path may be
// a FIFO or a device: nothing is opened that could block.
#include "init/init.h"
#include "wire/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace assay::init {
namespace {

using wire::Entry;
using wire::EntryHead;

int open_inside(int at, const char* path, std::uint64_t flags, std::uint64_t mode = 0) {
    open_how how{};
    how.flags = flags | O_CLOEXEC | O_NOCTTY;
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_NO_MAGICLINKS;
    return static_cast<int>(::syscall(SYS_openat2, at, path, &how, sizeof how));
}

class Worker {
  public:
    explicit Worker(int stream)
        : stream_(stream) {}

    [[noreturn]] void run(const std::string& payload) {
        wire::Reader reader(payload);
        auto op = static_cast<wire::FileOp>(reader.u32());
        std::string path = reader.str();
        std::uint32_t mode = reader.u32();
        limit_ = reader.u64();
        if (!reader.done() || path.empty() || path[0] != '/') fail(EINVAL, "path " + path);
        switch (op) {
        case wire::FileOp::PutFile:
            put(path, mode, false);
            break;
        case wire::FileOp::PutFolder:
            put(path, mode, true);
            break;
        case wire::FileOp::GetFile:
            get_file(path);
            break;
        case wire::FileOp::GetFolder:
            get_folder(path);
            break;
        case wire::FileOp::Remove:
            remove(path);
            break;
        }
        send_head({Entry::End, 0, 0, {}});
        finish();
    }

  private:
    [[noreturn]] void finish() {
        ::shutdown(stream_, SHUT_WR);
        ::_exit(0);
    }
    [[noreturn]] void fail(int error, const std::string& what) {
        std::string text = wire::Writer().i32(error).str(what.substr(0, 1024)).data();
        send_head({Entry::Error, 0, text.size(), {}});
        send(text);
        // What is still on its way to us is read, so that the writer gets our answer, not a reset.
        while (::read(stream_, buffer_, sizeof buffer_) > 0) {
        }
        finish();
    }
    void send(std::string_view data) {
        while (!data.empty()) {
            ssize_t n = ::send(stream_, data.data(), data.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) ::_exit(1);
            data.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void send_head(const EntryHead& head) { send(wire::encode(head)); }
    bool take(void* into, std::size_t size) {
        char* at = static_cast<char*>(into);
        while (size > 0) {
            ssize_t n = ::read(stream_, at, size);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            at += n;
            size -= static_cast<std::size_t>(n);
        }
        return true;
    }
    EntryHead take_head() {
        EntryHead head;
        std::uint8_t kind = 0;
        std::uint32_t size = 0;
        if (!take(&kind, 1) || !take(&head.mode, 4) || !take(&head.size, 8) || !take(&size, 4) ||
            size > wire::kPathLimit)
            ::_exit(1);
        head.kind = static_cast<Entry>(kind);
        head.path.resize(size);
        if (!take(head.path.data(), size)) ::_exit(1);
        return head;
    }

    // Folders on the way that do not exist are made; returns a descriptor of the last.
    int make_folders(const std::string& path) {
        int at = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        std::size_t from = 0;
        while (at >= 0 && from < path.size()) {
            std::size_t to = path.find('/', from);
            if (to == std::string::npos) to = path.size();
            std::string part = path.substr(from, to - from);
            from = to + 1;
            if (part.empty() || part == ".") continue;
            int next = open_inside(at, part.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK);
            if (next < 0 && errno == ENOENT) {
                if (::mkdirat(at, part.c_str(), 0755) != 0 && errno != EEXIST) return -1;
                next = open_inside(at, part.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK);
            }
            int error = errno;
            ::close(at);
            errno = error;
            at = next;
        }
        return at;
    }

    // A new file beside it, then rename: whatever was there (a link, a FIFO) is replaced, not
    // opened.
    void write_file(int folder, const std::string& name, const EntryHead& head,
                    const std::string& shown) {
        std::string part = ".assay-put-" + std::to_string(::getpid());
        ::unlinkat(folder, part.c_str(), 0);
        int fd = ::openat(folder, part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) fail(errno, "create " + shown);
        std::uint64_t left = head.size;
        int error = 0;
        while (left > 0) {
            std::size_t want =
                left < sizeof buffer_ ? static_cast<std::size_t>(left) : sizeof buffer_;
            if (!take(buffer_, want)) {
                ::unlinkat(folder, part.c_str(), 0);
                ::_exit(1); // the sender gave up
            }
            left -= want;
            for (std::size_t at = 0; error == 0 && at < want;) {
                ssize_t n = ::write(fd, buffer_ + at, want - at);
                if (n <= 0)
                    error = n == 0 ? ENOSPC : errno;
                else
                    at += static_cast<std::size_t>(n);
            }
            if (error != 0) break;
        }
        if (error == 0 && ::fchmod(fd, head.mode & 07777) != 0) error = errno;
        ::close(fd);
        if (error == 0 && ::renameat(folder, part.c_str(), folder, name.c_str()) != 0)
            error = errno;
        if (error == 0) return;
        ::unlinkat(folder, part.c_str(), 0);
        fail(error, "write " + shown);
    }

    void put_link(int folder, const std::string& name, const EntryHead& head,
                  const std::string& shown) {
        if (head.size > wire::kTextLimit) ::_exit(1);
        std::string target(static_cast<std::size_t>(head.size), '\0');
        if (!take(target.data(), target.size())) ::_exit(1);
        struct stat st{};
        if (::fstatat(folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
            ::unlinkat(folder, name.c_str(), 0);
        if (::symlinkat(target.c_str(), folder, name.c_str()) != 0) fail(errno, "link " + shown);
    }

    void put(const std::string& path, std::uint32_t mode, bool is_folder) {
        if (is_folder) {
            int top = make_folders(path);
            if (top < 0) fail(errno, "make folder " + path);
            ::fchmod(top, mode & 07777);
            ::close(top);
        }
        for (;;) {
            EntryHead head = take_head();
            if (head.kind == Entry::End) return;
            std::string full = head.path.empty() ? path : path + "/" + head.path;
            if (head.kind == Entry::Folder) {
                int made = make_folders(full);
                if (made < 0) fail(errno, "make folder " + full);
                ::fchmod(made, head.mode & 07777);
                ::close(made);
                continue;
            }
            while (full.size() > 1 && full.back() == '/') full.pop_back();
            std::size_t slash = full.rfind('/');
            std::string name = full.substr(slash + 1);
            int folder = make_folders(full.substr(0, slash));
            if (folder < 0) fail(errno, "make the folder of " + full);
            if (head.kind == Entry::File)
                write_file(folder, name, head, full);
            else if (head.kind == Entry::Link)
                put_link(folder, name, head, full);
            else
                ::_exit(1);
            ::close(folder);
        }
    }

    void remove(std::string path) {
        while (!path.empty() && path.back() == '/') path.pop_back();
        std::size_t slash = path.rfind('/');
        std::string name = path.substr(slash + 1);
        if (name.empty() || name == "." || name == "..") fail(EINVAL, "remove " + path);
        int folder =
            open_inside(AT_FDCWD, path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY);
        if (folder < 0 && (errno == ENOENT || errno == ENOTDIR)) return; // nothing is there
        int error = folder < 0 ? errno : remove_tree_at(folder, name);
        if (error != 0) fail(error, "remove " + path);
        ::close(folder);
    }

    void send_file(int fd, const std::string& path, std::uint32_t mode, std::uint64_t size) {
        send_head({Entry::File, mode & 07777, size, path});
        // Exactly `size` bytes follow, whatever happens to the file in the meantime.
        while (size > 0) {
            std::size_t want =
                size < sizeof buffer_ ? static_cast<std::size_t>(size) : sizeof buffer_;
            ssize_t n = ::read(fd, buffer_, want);
            if (n <= 0) {
                __builtin_memset(buffer_, 0, want);
                n = static_cast<ssize_t>(want);
            }
            send({buffer_, static_cast<std::size_t>(n)});
            size -= static_cast<std::uint64_t>(n);
        }
    }
    void skip(const std::string& path, std::string_view why) {
        send_head({Entry::Skip, 0, why.size(), path});
        send(why);
    }

    void get_file(const std::string& path) {
        int fd = open_inside(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
            send_head({Entry::Missing, 0, 0, {}});
            return;
        }
        struct stat st{};
        if (fd < 0 || ::fstat(fd, &st) != 0) fail(errno, "open " + path);
        if (S_ISDIR(st.st_mode)) fail(EISDIR, path);
        if (!S_ISREG(st.st_mode)) fail(EINVAL, path + " is not a regular file");
        if (static_cast<std::uint64_t>(st.st_size) > limit_) fail(EFBIG, path);
        send_file(fd, {}, st.st_mode, static_cast<std::uint64_t>(st.st_size));
    }

    void get_folder(const std::string& path) {
        int fd = open_inside(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
            send_head({Entry::Missing, 0, 0, {}});
            return;
        }
        struct stat st{};
        if (fd < 0 || ::fstat(fd, &st) != 0) fail(errno, "open " + path);
        if (S_ISDIR(st.st_mode)) {
            walk(fd, {}, 0);
        } else if (S_ISREG(st.st_mode)) {
            std::size_t slash = path.rfind('/');
            one_file(fd, path.substr(slash + 1), st);
        } else {
            fail(EINVAL, path + " is not a file or folder");
        }
    }

    void one_file(int fd, const std::string& path, const struct stat& st) {
        std::uint64_t size = static_cast<std::uint64_t>(st.st_size);
        if (size > limit_ - sent_)
            skip(path, "over the size limit");
        else {
            sent_ += size;
            send_file(fd, path, st.st_mode, size);
        }
    }

    // The target is only told; what is on the other side decides whether it may have the link.
    void send_link(int folder, const char* name, const std::string& path) {
        char target[wire::kTextLimit + 1];
        ssize_t size = ::readlinkat(folder, name, target, sizeof target);
        if (size < 0 || static_cast<std::size_t>(size) > wire::kTextLimit)
            return skip(path, "a link that could not be read");
        send_head({Entry::Link, 0, static_cast<std::uint64_t>(size), path});
        send({target, static_cast<std::size_t>(size)});
    }

    // Takes over `fd`. No link is followed; of devices only the name is told.
    void walk(int fd, const std::string& prefix, int depth) {
        DIR* folder = ::fdopendir(fd);
        if (folder == nullptr) fail(errno, "read folder " + prefix);
        while (dirent* entry = ::readdir(folder)) {
            std::string name = entry->d_name;
            if (name == "." || name == "..") continue;
            std::string path = prefix.empty() ? name : prefix + "/" + name;
            if (path.size() > kLongestPath || ++entries_ > kEntryLimit) {
                skip(path.substr(0, 256), "too many entries or too long a path");
                if (entries_ > kEntryLimit) break;
                continue;
            }
            struct stat st{};
            if (::fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
            if (S_ISLNK(st.st_mode)) {
                send_link(fd, entry->d_name, path);
                continue;
            }
            if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
                skip(path, "not a regular file");
                continue;
            }
            int child = ::openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
            // Swapped in between for something else: what was opened counts.
            if (child < 0 || ::fstat(child, &st) != 0) {
                skip(path, "could not be opened");
                if (child >= 0) ::close(child);
            } else if (S_ISDIR(st.st_mode) && depth < kDepthLimit) {
                send_head({Entry::Folder, st.st_mode & 07777, 0, path});
                walk(child, path, depth + 1);
            } else {
                if (S_ISREG(st.st_mode))
                    one_file(child, path, st);
                else
                    skip(path, "not a regular file, or too deep");
                ::close(child);
            }
        }
        ::closedir(folder);
    }

    static constexpr int kDepthLimit = 200; // each level holds a descriptor
    // The receiver may put it below a folder of its own and still name it in one piece.
    static constexpr std::size_t kLongestPath = wire::kPathLimit - 1024;
    static constexpr std::uint64_t kEntryLimit = 1'000'000;
    int stream_;
    std::uint64_t limit_ = 0, sent_ = 0, entries_ = 0;
    char buffer_[65536];
};

} // namespace

void serve_file(int fd, const std::string& payload) {
    static Worker* worker = new Worker(fd);
    worker->run(payload);
}

} // namespace assay::init
