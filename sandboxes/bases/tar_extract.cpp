#include "bases/tar_extract.h"

#include "assay/base/error.h"
#include "assay/base/fd.h"
#include "assay/base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace assay::bases {

namespace {

using Reader = std::unique_ptr<archive, decltype([](archive* a) { archive_read_free(a); })>;

constexpr std::size_t kLongestPath = 4096;
constexpr int kDeepest = 256;

Reader open_reader() {
    Reader reader(archive_read_new());
    archive_read_support_filter_gzip(reader.get());
    archive_read_support_filter_bzip2(reader.get());
    archive_read_support_filter_xz(reader.get());
    archive_read_support_filter_zstd(reader.get());
    archive_read_support_format_tar(reader.get());
    return reader;
}

[[noreturn]] void bad(std::string_view name, std::string_view why) {
    throw Error(ErrorKind::Input,
                "tar entry '" + utf8_clean(name.substr(0, 200)) + "': " + std::string(why));
}

// The components of a name; "." and empty ones are dropped.
std::vector<std::string> components(std::string_view name) {
    if (name.size() > kLongestPath) bad(name, "name too long");
    std::vector<std::string> out;
    for (std::string_view part : split(name, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == "..") bad(name, "has '..'");
        out.emplace_back(part);
    }
    if (out.size() > kDeepest) bad(name, "too deep");
    return out;
}

class Extractor {
  public:
    Extractor(archive* reader, const Path& into, const TarLimits& limits)
        : reader_(reader)
        , limits_(limits)
        , root_(::open(into.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
        if (!root_) throw io_error("open " + into.string(), errno);
    }

    TarResult run() {
        archive_entry* entry = nullptr;
        for (;;) {
            int status = archive_read_next_header(reader_, &entry);
            if (status == ARCHIVE_EOF) break;
            if (status < ARCHIVE_WARN) fail();
            if (++result_.entries > limits_.entries)
                throw Error(ErrorKind::Input,
                            "tar: more than " + std::to_string(limits_.entries) + " entries");
            write(entry);
        }
        finish_folders();
        return std::move(result_);
    }

  private:
    struct FolderMode {
        std::vector<std::string> parts;
        unsigned mode;
    };

    [[noreturn]] void fail() const {
        const char* text = archive_error_string(reader_);
        throw Error(ErrorKind::Input, std::string("tar: ") + (text ? text : "damaged"));
    }

    // Opens the folder, made where missing. A link on the way is refused, not followed: an archive
    // could have made it itself. Root archives hold links such as bin -> usr/bin, but their own
    // entries use the real folder.
    UniqueFd open_folder(const std::vector<std::string>& parts, std::size_t count,
                         std::string_view name) const {
        UniqueFd at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 3));
        for (std::size_t i = 0; i < count; ++i) {
            const char* part = parts[i].c_str();
            if (::mkdirat(at.get(), part, 0755) != 0 && errno != EEXIST)
                bad(name, std::strerror(errno));
            UniqueFd next(::openat(at.get(), part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (!next) bad(name, "passes through a link or a file");
            at = std::move(next);
        }
        return at;
    }

    void write(archive_entry* entry) {
        const char* raw = archive_entry_pathname(entry);
        if (!raw) bad("", "has no name");
        std::string name = raw;
        std::vector<std::string> parts = components(name);
        if (parts.empty()) return; // the root itself
        UniqueFd folder = open_folder(parts, parts.size() - 1, name);
        const char* leaf = parts.back().c_str();
        if (const char* target = archive_entry_hardlink(entry))
            return write_hardlink(folder.get(), leaf, target, name);
        switch (archive_entry_filetype(entry)) {
        case AE_IFDIR:
            write_folder(entry, folder.get(), leaf, parts, name);
            break;
        case AE_IFLNK:
            write_symlink(entry, folder.get(), leaf, name);
            break;
        case AE_IFREG:
            write_file(entry, folder.get(), leaf, name);
            break;
        default:
            if (result_.left_out.size() < 100) result_.left_out.push_back(utf8_clean(name));
        }
    }

    static void clear(int folder, const char* leaf, std::string_view name) {
        if (::unlinkat(folder, leaf, 0) != 0 && errno != ENOENT) {
            if (errno == EISDIR || errno == EPERM) bad(name, "would replace a folder");
            bad(name, std::strerror(errno));
        }
    }

    static void own(archive_entry* entry, int folder, const char* leaf) {
        if (::geteuid() != 0) return;
        auto uid = static_cast<uid_t>(archive_entry_uid(entry));
        auto gid = static_cast<gid_t>(archive_entry_gid(entry));
        if (::fchownat(folder, leaf, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
            throw io_error(std::string("change the owner of ") + leaf, errno);
    }

    void write_folder(archive_entry* entry, int folder, const char* leaf,
                      std::vector<std::string>& parts, std::string_view name) {
        if (::mkdirat(folder, leaf, 0755) != 0) {
            struct stat st{};
            bool there = errno == EEXIST && ::fstatat(folder, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0;
            if (!there || !S_ISDIR(st.st_mode)) bad(name, "would replace a file");
        }
        own(entry, folder, leaf);
        folders_.push_back({parts, static_cast<unsigned>(archive_entry_perm(entry))});
    }

    static void write_symlink(archive_entry* entry, int folder, const char* leaf,
                              std::string_view name) {
        const char* target = archive_entry_symlink(entry);
        if (!target || !*target) bad(name, "link without a target");
        clear(folder, leaf, name);
        if (::symlinkat(target, folder, leaf) != 0) bad(name, std::strerror(errno));
        own(entry, folder, leaf);
    }

    void write_hardlink(int folder, const char* leaf, const char* target, std::string_view name) {
        std::vector<std::string> parts = components(target);
        if (parts.empty()) bad(name, "hard link without a target");
        UniqueFd from = open_folder(parts, parts.size() - 1, target);
        struct stat st{};
        if (::fstatat(from.get(), parts.back().c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            S_ISDIR(st.st_mode))
            bad(name, "hard link to what is not there");
        struct stat own{};
        bool same = ::fstatat(folder, leaf, &own, AT_SYMLINK_NOFOLLOW) == 0 &&
                    own.st_dev == st.st_dev && own.st_ino == st.st_ino;
        if (same) return;
        clear(folder, leaf, name);
        if (::linkat(from.get(), parts.back().c_str(), folder, leaf, 0) != 0)
            bad(name, std::strerror(errno));
    }

    void write_file(archive_entry* entry, int folder, const char* leaf, std::string_view name) {
        clear(folder, leaf, name);
        UniqueFd fd(
            ::openat(folder, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!fd) bad(name, std::strerror(errno));
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        for (;;) {
            int status = archive_read_data_block(reader_, &block, &size, &offset);
            if (status == ARCHIVE_EOF) break;
            if (status < ARCHIVE_WARN) fail();
            result_.bytes += size;
            bool too_far = static_cast<std::uint64_t>(offset) + size > limits_.bytes;
            if (result_.bytes > limits_.bytes || too_far)
                throw Error(ErrorKind::Input,
                            "tar: larger than " + format_bytes(static_cast<double>(limits_.bytes)));
            write_block(fd.get(), static_cast<const char*>(block), size, offset, name);
        }
        own(entry, folder, leaf);
        if (::fchmod(fd.get(), archive_entry_perm(entry) & 07777) != 0)
            bad(name, std::strerror(errno));
    }

    static void write_block(int fd, const char* data, std::size_t size, la_int64_t offset,
                            std::string_view name) {
        while (size > 0) {
            ssize_t n = ::pwrite(fd, data, size, offset);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) bad(name, std::strerror(errno));
            data += n;
            size -= static_cast<std::size_t>(n);
            offset += n;
        }
    }

    // Last, so that a folder without write permission can be filled.
    void finish_folders() const {
        for (auto it = folders_.rbegin(); it != folders_.rend(); ++it) {
            UniqueFd parent = open_folder(it->parts, it->parts.size() - 1, it->parts.back());
            UniqueFd folder(::openat(parent.get(), it->parts.back().c_str(),
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (folder && ::fchmod(folder.get(), it->mode & 07777) != 0)
                throw io_error("chmod " + it->parts.back(), errno);
        }
    }

    archive* reader_;
    TarLimits limits_;
    UniqueFd root_;
    TarResult result_;
    std::vector<FolderMode> folders_;
};

} // namespace

bool looks_like_tar(const Path& file) {
    Reader reader = open_reader();
    archive_entry* entry = nullptr;
    return archive_read_open_filename(reader.get(), file.c_str(), 1 << 16) == ARCHIVE_OK &&
           archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK;
}

TarResult extract_tar(const Path& file, const Path& into, const TarLimits& limits) {
    Reader reader = open_reader();
    if (archive_read_open_filename(reader.get(), file.c_str(), 1 << 20) != ARCHIVE_OK)
        throw Error(ErrorKind::Input, file.string() + ": " + archive_error_string(reader.get()));
    try {
        return Extractor(reader.get(), into, limits).run();
    } catch (Error& e) {
        e.frame("extracting " + file.string());
        throw;
    }
}

TarResult extract_tar_bytes(std::string_view bytes, const Path& into, const TarLimits& limits) {
    Reader reader = open_reader();
    if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
        throw Error(ErrorKind::Input, "tar: not an archive");
    return Extractor(reader.get(), into, limits).run();
}

} // namespace assay::bases
