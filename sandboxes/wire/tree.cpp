#include "wire/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

namespace assay {
namespace {

constexpr int kDepth = 64; // each level holds a descriptor and a frame of the stack

// A tree may be as deep as its maker liked. What lies deeper than kDepth is moved up into the top
// folder, where the next pass finds it: no path gets long, and each folder is moved once at most.
class Remover {
  public:
    Remover(int top, dev_t device)
        : top_(top)
        , device_(device) {}

    int run() {
        do {
            moved_ = false;
            int fd = ::openat(top_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (fd < 0) return errno;
            empty_folder(fd, 0);
        } while (moved_);
        return first_;
    }

  private:
    void keep_first(int error) {
        if (first_ == 0) first_ = error;
    }

    // Empties the folder `fd` (which it closes) of everything on its device.
    void empty_folder(int fd, int depth) {
        DIR* folder = ::fdopendir(fd);
        if (folder == nullptr) {
            keep_first(errno);
            ::close(fd);
            return;
        }
        while (dirent* entry = ::readdir(folder)) {
            std::string_view name = entry->d_name;
            if (name == "." || name == "..") continue;
            if (entry->d_type != DT_DIR && ::unlinkat(fd, entry->d_name, 0) == 0) continue;
            remove_folder(fd, entry->d_name, depth);
        }
        ::closedir(folder);
    }

    void remove_folder(int parent, const char* name, int depth) {
        int child = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
            child = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st{};
        if (child < 0) return keep_first(errno);
        if (::fstat(child, &st) != 0 || st.st_dev != device_) {
            ::close(child);
            return keep_first(EXDEV);
        }
        if (depth >= kDepth) {
            ::fchmod(child, 0700); // its ".." is about to change
            ::close(child);
            return move_up(parent, name);
        }
        empty_folder(child, depth + 1);
        if (::unlinkat(parent, name, AT_REMOVEDIR) != 0) keep_first(errno);
    }

    // A name that is taken in the top folder is passed over; so is it next time.
    void move_up(int parent, const char* name) {
        for (;;) {
            std::string here = "assay-deep-" + std::to_string(next_name_++);
            if (::renameat(parent, name, top_, here.c_str()) == 0) {
                moved_ = true;
                return;
            }
            if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) return keep_first(errno);
        }
    }

    const int top_;
    const dev_t device_;
    int first_ = 0;
    bool moved_ = false; // something, in this pass
    std::uint64_t next_name_ = 0;
};

} // namespace

int remove_tree(const std::string& path) {
    return remove_tree_at(AT_FDCWD, path);
}

int remove_tree_at(int folder, const std::string& path) {
    int fd = ::openat(folder, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT) return 0;
        return ::unlinkat(folder, path.c_str(), 0) == 0 ? 0 : errno;
    }
    struct stat st{};
    int first = ::fstat(fd, &st) != 0 ? errno : Remover(fd, st.st_dev).run();
    ::close(fd);
    if (::unlinkat(folder, path.c_str(), AT_REMOVEDIR) != 0 && first == 0) first = errno;
    return first;
}

} // namespace assay
