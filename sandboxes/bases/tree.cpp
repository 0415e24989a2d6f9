#include "bases/tree.h"

#include "assay/base/error.h"
#include "assay/base/fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace assay::bases {

namespace stdfs = std::filesystem;

namespace {
void copy_attributes(const struct stat& st, const Path& to) {
    if (::lchown(to.c_str(), st.st_uid, st.st_gid) != 0 && errno != EPERM && errno != EINVAL)
        throw io_error("change the owner of " + to.string(), errno);
    if (!S_ISLNK(st.st_mode) && ::chmod(to.c_str(), st.st_mode & 07777) != 0)
        throw io_error("change the mode of " + to.string(), errno);
}

void copy_one(const Path& from, const Path& to) {
    struct stat st{};
    if (::lstat(from.c_str(), &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return;
        throw io_error("read " + from.string(), errno);
    }
    // An ordinary user's copy lacks what only root may read.
    if (!S_ISLNK(st.st_mode) && ::access(from.c_str(), R_OK) != 0 && errno == EACCES) return;
    std::error_code code;
    if (S_ISLNK(st.st_mode)) {
        stdfs::remove_all(to, code);
        stdfs::copy_symlink(from, to);
    } else if (S_ISDIR(st.st_mode)) {
        stdfs::create_directories(to);
        for (const auto& entry : stdfs::directory_iterator(from))
            copy_one(entry.path(), to / entry.path().filename());
    } else if (S_ISREG(st.st_mode)) {
        stdfs::copy_file(from, to, stdfs::copy_options::overwrite_existing);
    } else {
        return;
    }
    copy_attributes(st, to);
}

void hash_file(Sha256& sum, const Path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) throw io_error("open " + path.string(), errno);
    std::vector<char> buffer(1 << 16);
    for (;;) {
        ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0) throw io_error("read " + path.string(), errno);
        if (n == 0) return;
        sum.update(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    }
}
} // namespace

void copy_tree(const Path& from, const Path& to) {
    try {
        struct stat st{};
        if (::lstat(from.c_str(), &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) return;
        stdfs::create_directories(to.parent_path());
        copy_one(from, to);
    } catch (const stdfs::filesystem_error& e) {
        throw io_error("copy " + from.string() + " to " + to.string(), e.code().value());
    }
}

void write_text(const Path& path, std::string_view text, unsigned mode) {
    RealFileSystem files;
    files.make_folders(path.parent_path());
    files.write(path, text, mode);
    if (::chmod(path.c_str(), mode) != 0) throw io_error("chmod " + path.string(), errno);
}

void make_folder(const Path& path, unsigned mode) {
    RealFileSystem().make_folders(path);
    if (::chmod(path.c_str(), mode) != 0) throw io_error("chmod " + path.string(), errno);
}

void make_link(const Path& path, std::string_view target) {
    RealFileSystem files;
    files.make_folders(path.parent_path());
    files.remove_all(path);
    if (::symlink(std::string(target).c_str(), path.c_str()) != 0)
        throw io_error("link " + path.string(), errno);
}

void give_to(const Path& path, unsigned uid, unsigned gid) {
    if (::lchown(path.c_str(), uid, gid) != 0 && errno != EPERM && errno != EINVAL)
        throw io_error("change the owner of " + path.string(), errno);
}

Digest tree_digest(const Path& root) {
    std::vector<Path> paths;
    for (const auto& entry : stdfs::recursive_directory_iterator(root))
        paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    Sha256 sum;
    for (const Path& path : paths) {
        struct stat st{};
        if (::lstat(path.c_str(), &st) != 0) throw io_error("read " + path.string(), errno);
        std::string head = path.lexically_relative(root).string();
        head += '\0'; // no path holds one, so the parts cannot run into one another
        head += fmt::format("{:o} {};", st.st_mode, S_ISREG(st.st_mode) ? st.st_size : 0);
        sum.update(head);
        if (S_ISREG(st.st_mode)) hash_file(sum, path);
        if (S_ISLNK(st.st_mode)) sum.update(stdfs::read_symlink(path).string());
    }
    return sum.finish();
}

} // namespace assay::bases
