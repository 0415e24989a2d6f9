#include "assay/base/fs.h"

#include "assay/base/error.h"
#include "assay/base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace assay {

namespace stdfs = std::filesystem;

namespace {
Error failed(const char* doing, const Path& path, int number) {
    return io_error(std::string(doing) + " " + path.string(), number);
}

void write_fully(int fd, std::string_view data, const Path& path) {
    while (!data.empty()) {
        ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            throw failed("write", path, errno);
        }
        data.remove_prefix(static_cast<std::size_t>(n));
    }
}
} // namespace

std::string RealFileSystem::read(const Path& path, std::uint64_t limit) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw failed("open", path, errno);
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0) throw failed("stat", path, errno);
    if (S_ISDIR(st.st_mode)) throw failed("read", path, EISDIR);
    std::string out;
    if (st.st_size > 0)
        out.reserve(std::min<std::uint64_t>(static_cast<std::uint64_t>(st.st_size), limit));
    char buffer[65536];
    for (;;) {
        ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
        if (n < 0) {
            if (errno == EINTR) continue;
            throw failed("read", path, errno);
        }
        if (n == 0) return out;
        out.append(buffer, static_cast<std::size_t>(n));
        if (out.size() > limit)
            throw Error(ErrorKind::Io, "read " + path.string() + ": larger than " +
                                           std::to_string(limit) + " bytes");
    }
}

void RealFileSystem::write(const Path& path, std::string_view data, unsigned mode) {
    static std::atomic<unsigned> counter{0};
    Path part = path;
    part += ".part" + std::to_string(::getpid()) + "." + std::to_string(counter++);
    try {
        UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
        if (!fd) throw failed("create", part, errno);
        write_fully(fd.get(), data, part);
        if (::fsync(fd.get()) != 0) throw failed("sync", part, errno);
        fd.reset();
        if (::rename(part.c_str(), path.c_str()) != 0) throw failed("rename to", path, errno);
    } catch (...) {
        ::unlink(part.c_str());
        throw;
    }
}

std::optional<FileInfo> RealFileSystem::info(const Path& path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
        throw failed("stat", path, errno);
    }
    FileInfo out;
    out.size = static_cast<std::uint64_t>(st.st_size);
    out.mode = st.st_mode & 07777;
    if (S_ISREG(st.st_mode))
        out.type = FileInfo::Type::File;
    else if (S_ISDIR(st.st_mode))
        out.type = FileInfo::Type::Directory;
    else if (S_ISLNK(st.st_mode))
        out.type = FileInfo::Type::Symlink;
    return out;
}

std::vector<std::string> RealFileSystem::list(const Path& folder) {
    std::vector<std::string> out;
    std::error_code ec;
    for (stdfs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec))
        out.push_back(it->path().filename().string());
    if (ec) throw failed("list", folder, ec.value());
    std::sort(out.begin(), out.end());
    return out;
}

void RealFileSystem::make_folders(const Path& folder) {
    std::error_code ec;
    stdfs::create_directories(folder, ec);
    if (ec) throw failed("make folder", folder, ec.value());
}

void RealFileSystem::remove_all(const Path& path) {
    std::error_code ec;
    stdfs::remove_all(path, ec);
    if (ec) throw failed("remove", path, ec.value());
}

void RealFileSystem::rename(const Path& from, const Path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) throw failed("rename to", to, errno);
}

std::uint64_t RealFileSystem::free_bytes(const Path& path) {
    struct statvfs st{};
    if (::statvfs(path.c_str(), &st) != 0) throw failed("ask the free space of", path, errno);
    return static_cast<std::uint64_t>(st.f_bavail) * st.f_frsize;
}

TempFolder::TempFolder(std::string_view prefix) {
    const char* base = std::getenv("TMPDIR");
    std::string name = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/" +
                       std::string(prefix) + ".XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw io_error("make temporary folder " + name, errno);
    path_ = name;
}

TempFolder::~TempFolder() {
    std::error_code ec;
    stdfs::remove_all(path_, ec);
}

} // namespace assay
