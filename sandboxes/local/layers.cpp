#include "local/layers.h"

#include "assay/base/error.h"
#include "assay/base/fd.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

namespace assay::local {
namespace {

namespace stdfs = std::filesystem;
constexpr const char* kOpaque = "user.overlay.opaque";

struct stat stat_of(const Path& path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) throw io_error("stat " + path.string(), errno);
    return st;
}

std::vector<std::string> names_in(const Path& folder) {
    return RealFileSystem().list(folder);
}

std::map<std::string, std::string> attributes(const Path& path) {
    std::map<std::string, std::string> out;
    char names[4096];
    ssize_t size = ::llistxattr(path.c_str(), names, sizeof names);
    for (ssize_t at = 0; at < size;) {
        std::string name = names + at;
        at += static_cast<ssize_t>(name.size()) + 1;
        // Other notes of overlayfs (origin, impure, uuid) are about this very folder.
        if (name.starts_with("user.overlay.") && name != kOpaque) continue;
        std::string value(65536, '\0');
        ssize_t n = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
        if (n >= 0) out[name] = value.substr(0, static_cast<std::size_t>(n));
    }
    return out;
}

bool is_whiteout(const struct stat& st) {
    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}
bool is_opaque(const Path& folder) {
    char value = 0;
    return ::lgetxattr(folder.c_str(), kOpaque, &value, 1) == 1 && value == 'y';
}

void digest_file(Sha256& hash, const Path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) throw io_error("open " + path.string(), errno);
    char buffer[65536];
    while (ssize_t n = ::read(fd.get(), buffer, sizeof buffer)) {
        if (n < 0) throw io_error("read " + path.string(), errno);
        hash.update(std::string_view(buffer, static_cast<std::size_t>(n)));
    }
}

void add_to_digest(Sha256& hash, const Path& path, const std::string& relative) {
    struct stat st = stat_of(path);
    auto part = [&](std::string_view text) {
        hash.update(std::to_string(text.size()) + ":");
        hash.update(text);
    };
    auto number = [&](std::uint64_t value) { hash.update(std::to_string(value) + ";"); };
    part(relative);
    number(st.st_mode);
    number(st.st_uid);
    number(st.st_gid);
    number(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? st.st_rdev : 0);
    for (const auto& [name, value] : attributes(path)) {
        part(name);
        part(value);
    }
    if (S_ISREG(st.st_mode)) {
        number(static_cast<std::uint64_t>(st.st_size));
        digest_file(hash, path);
    } else if (S_ISLNK(st.st_mode)) {
        part(stdfs::read_symlink(path).string());
    } else if (S_ISDIR(st.st_mode)) {
        std::vector<std::string> names = names_in(path);
        number(names.size());
        for (const std::string& name : names)
            add_to_digest(hash, path / name, relative + "/" + name);
    }
}

std::uint64_t add_bytes(const Path& folder, std::set<std::pair<dev_t, ino_t>>& seen) {
    std::uint64_t sum = 0;
    std::error_code ec;
    std::vector<Path> folders; // entered when this one is closed: a deep chain costs no descriptors
    for (stdfs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
        struct stat st{};
        if (::lstat(it->path().c_str(), &st) != 0) continue; // went away meanwhile
        if (st.st_nlink > 1 && !S_ISDIR(st.st_mode) && !seen.emplace(st.st_dev, st.st_ino).second)
            continue;
        sum += static_cast<std::uint64_t>(st.st_blocks) * 512;
        if (S_ISDIR(st.st_mode)) folders.push_back(it->path());
    }
    for (const Path& inner : folders) sum += add_bytes(inner, seen);
    return sum;
}

void copy_bytes(const Path& from, const Path& to, const struct stat& st) {
    UniqueFd in(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!in || !out) throw io_error("copy " + from.string(), errno);
    if (::ioctl(out.get(), FICLONE, in.get()) == 0) return;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = ::copy_file_range(in.get(), nullptr, out.get(), nullptr,
                                      static_cast<std::size_t>(left), 0);
        if (n < 0) throw io_error("copy " + from.string(), errno);
        if (n == 0) return; // became shorter; a frozen sandbox does not do that
        left -= n;
    }
}

class Copier {
  public:
    Copier(bool hard_link, const Cancel& cancel)
        : hard_link_(hard_link)
        , cancel_(cancel) {}

    void copy(const Path& from, const Path& to) {
        cancel_.check();
        struct stat st = stat_of(from);
        if (S_ISDIR(st.st_mode)) {
            if (::mkdir(to.c_str(), 0700) != 0 && errno != EEXIST)
                throw io_error("make folder " + to.string(), errno);
            for (const std::string& name : names_in(from)) copy(from / name, to / name);
        } else if (!make(from, to, st)) {
            return; // a hard link has its inode's metadata
        }
        metadata(from, to, st);
    }

    // Owner, mode, times, attributes.
    static void metadata(const Path& from, const Path& to, const struct stat& st) {
        if (::lchown(to.c_str(), st.st_uid, st.st_gid) != 0)
            throw io_error("set the owner of " + to.string(), errno);
        if (!S_ISLNK(st.st_mode)) ::chmod(to.c_str(), st.st_mode & 07777);
        for (const auto& [name, value] : attributes(from))
            ::lsetxattr(to.c_str(), name.c_str(), value.data(), value.size(), 0);
        timespec times[2] = {st.st_atim, st.st_mtim};
        ::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW);
    }

  private:
    bool make(const Path& from, const Path& to, const struct stat& st) {
        if (S_ISREG(st.st_mode)) {
            auto [known, fresh] = made_.try_emplace({st.st_dev, st.st_ino}, to);
            const Path& source = hard_link_ ? from : known->second;
            if (hard_link_ || !fresh) {
                if (::link(source.c_str(), to.c_str()) == 0) return false;
                if (errno != EMLINK) throw io_error("link " + to.string(), errno);
            }
            copy_bytes(from, to, st);
        } else if (S_ISLNK(st.st_mode)) {
            if (::symlink(stdfs::read_symlink(from).c_str(), to.c_str()) != 0)
                throw io_error("link " + to.string(), errno);
        } else if (S_ISSOCK(st.st_mode)) {
            return false; // nobody can be listening in a sealed state
        } else if (::mknod(to.c_str(), st.st_mode, st.st_rdev) != 0) {
            throw io_error("make node " + to.string(), errno);
        }
        return true;
    }

    bool hard_link_;
    const Cancel& cancel_;
    std::map<std::pair<dev_t, ino_t>, Path> made_; // hard links stay hard links
};

// Lays `from` over `to` with the meaning of overlayfs.
void lay_over(const Path& from, const Path& to, Copier& copier) {
    for (const std::string& name : names_in(from)) {
        Path source = from / name, target = to / name;
        struct stat st = stat_of(source), old{};
        bool there = ::lstat(target.c_str(), &old) == 0;
        bool merge = there && S_ISDIR(st.st_mode) && S_ISDIR(old.st_mode) && !is_opaque(source);
        if (merge) {
            lay_over(source, target, copier);
            // An opaque folder below stays opaque when more is laid over it.
            Copier::metadata(source, target, st);
            continue;
        }
        bool hides = there && (is_whiteout(old) || !S_ISDIR(old.st_mode) || is_opaque(target));
        if (there) stdfs::remove_all(target);
        copier.copy(source, target);
        // A folder in the place of a file or whiteout hides what is below in the base.
        if (hides && S_ISDIR(st.st_mode)) ::lsetxattr(target.c_str(), kOpaque, "y", 1, 0);
    }
}

} // namespace

LocalCheckpoint::LocalCheckpoint(std::vector<std::shared_ptr<SealedLayer>> layers,
                                 std::size_t mounts, Digest base)
    : layers_(std::move(layers))
    , mounts_(mounts)
    , base_(base) {}

Digest tree_digest(const Path& folder) {
    Sha256 hash;
    add_to_digest(hash, folder, "");
    return hash.finish();
}

std::uint64_t tree_bytes(const Path& folder) {
    std::set<std::pair<dev_t, ino_t>> seen;
    return add_bytes(folder, seen);
}

Digest LocalCheckpoint::digest() const {
    std::lock_guard lock(mutex_);
    if (digest_) return *digest_;
    Sha256 hash;
    hash.update("assay-checkpoint/1 " + base_.hex());
    for (const auto& layer : layers_)
        for (std::size_t i = 0; i < mounts_; i++)
            hash.update(tree_digest(layer->folder / ("u" + std::to_string(i))).hex());
    digest_ = hash.finish();
    return *digest_;
}

std::uint64_t LocalCheckpoint::bytes() const {
    std::uint64_t sum = 0;
    for (const auto& layer : layers_) sum += tree_bytes(layer->folder);
    return sum;
}

void copy_tree(const Path& from, const Path& to, bool hard_link, const Cancel& cancel) {
    Copier(hard_link, cancel).copy(from, to);
}

void flatten(const std::vector<Path>& tops, const Path& to, const Cancel& cancel) {
    Copier copier(true, cancel);
    copier.copy(tops.back(), to);
    for (auto it = tops.rbegin() + 1; it != tops.rend(); ++it) {
        cancel.check();
        lay_over(*it, to, copier);
    }
}

} // namespace assay::local
