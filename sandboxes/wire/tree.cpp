#include "wire/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace assay {
namespace {

void keep_first(int& first, int error) {
    if (first == 0) first = error;
}

// Empties the folder `fd` (which it closes) of everything on device `device`.
int empty_folder(int fd, dev_t device, int depth) {
    int first = 0;
    DIR* folder = ::fdopendir(fd);
    if (folder == nullptr) {
        int error = errno;
        ::close(fd);
        return error;
    }
    while (dirent* entry = ::readdir(folder)) {
        std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (entry->d_type != DT_DIR && ::unlinkat(fd, entry->d_name, 0) == 0) continue;
        int child = ::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 && errno == EACCES && ::fchmodat(fd, entry->d_name, 0700, 0) == 0)
            child = ::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0) {
            keep_first(first, errno);
            continue;
        }
        struct stat st{};
        if (::fstat(child, &st) != 0 || st.st_dev != device || depth > 4000) {
            ::close(child);
            keep_first(first, EXDEV);
            continue;
        }
        if (int error = empty_folder(child, device, depth + 1)) keep_first(first, error);
        if (::unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0) keep_first(first, errno);
    }
    ::closedir(folder);
    return first;
}

} // namespace

int remove_tree(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT) return 0;
        return ::unlink(path.c_str()) == 0 ? 0 : errno;
    }
    struct stat st{};
    if (::fstat(fd, &st) != 0) return errno;
    int first = empty_folder(fd, st.st_dev, 0);
    if (::rmdir(path.c_str()) != 0 && first == 0) first = errno;
    return first;
}

} // namespace assay
