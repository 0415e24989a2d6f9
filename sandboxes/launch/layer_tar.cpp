// The writable layer of a sandbox as the tar of an image layer: what is deleted is an empty file
// `.wh.NAME`, a folder that hides the one below it has a `.wh..wh..opq`.
//
// All of it was made by the sandbox. No link is followed, nothing but folders and regular files is
// opened, and bytes, entries and depth are bounded. Over the limit nothing is read any more, only
// counted.
#include "launch/launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <utility>

namespace assay::launch {
namespace {

constexpr std::uint64_t kEntryLimit = 1'000'000;
constexpr std::uint64_t kMost = 1ull << 62;
constexpr int kDepthLimit = 250; // a descriptor each
constexpr std::size_t kBlock = 512;

struct Header { // POSIX ustar
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[8], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
static_assert(sizeof(Header) == kBlock);

void octal(char* field, std::size_t width, std::uint64_t value) {
    field[--width] = '\0';
    for (; width > 0; value >>= 3) field[--width] = static_cast<char>('0' + (value & 7));
}

// "LENGTH KEY=VALUE\n", where the length counts its own digits.
std::string pax_record(const char* key, const std::string& value) {
    std::size_t rest = std::strlen(key) + value.size() + 3, length = rest;
    while (length != rest + std::to_string(length).size())
        length = rest + std::to_string(length).size();
    return std::to_string(length) + " " + key + "=" + value + "\n";
}

class LayerTar {
  public:
    LayerTar(int out, std::uint64_t limit)
        : out_(out)
        , limit_(limit) {}

    // An upper folder, whose content is at `at` inside (empty: the root).
    bool add_upper(const std::string& upper, const std::string& at) {
        int fd = ::open(upper.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st{};
        if (fd < 0 || ::fstat(fd, &st) != 0) return fail(errno, upper);
        links_.clear(); // two uppers may be on two devices
        bool good = add_folder(fd, at.empty() ? "./" : at + "/", at.empty() ? "" : at + "/", st, 0);
        ::close(fd);
        return good;
    }
    bool end() { return put(std::string(2 * kBlock, '\0')); }
    std::uint64_t size() const { return size_; }
    int error() const { return error_; }
    const std::string& stage() const { return stage_; }

  private:
    bool fail(int error, const std::string& what) {
        error_ = error;
        stage_ = what;
        return false;
    }

    bool count(std::uint64_t bytes) {
        size_ = bytes > kMost - size_ ? kMost : size_ + bytes;
        return size_ <= limit_;
    }

    bool write(const char* data, std::size_t size) {
        while (size > 0) {
            ssize_t n = ::write(out_, data, size);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return fail(n < 0 ? errno : EIO, "write the layer");
            data += n;
            size -= static_cast<std::size_t>(n);
        }
        return true;
    }

    bool put(const std::string& data) {
        return !count(data.size()) || write(data.data(), data.size());
    }

    static std::string padded(std::string data) {
        data.resize((data.size() + kBlock - 1) / kBlock * kBlock);
        return data;
    }

    static std::string header(const std::string& path, char type, const struct stat& st,
                              std::uint64_t size, const std::string& link) {
        Header out{};
        std::memcpy(out.name, path.data(), std::min(path.size(), sizeof out.name));
        std::memcpy(out.link, link.data(), std::min(link.size(), sizeof out.link));
        octal(out.mode, sizeof out.mode, st.st_mode & 07777);
        octal(out.uid, sizeof out.uid, st.st_uid & 07777777);
        octal(out.gid, sizeof out.gid, st.st_gid & 07777777);
        octal(out.size, sizeof out.size, size);
        octal(out.mtime, sizeof out.mtime,
              static_cast<std::uint64_t>(std::clamp<std::int64_t>(st.st_mtime, 0, 077777777777)));
        if (type == '3' || type == '4') {
            octal(out.major, sizeof out.major, major(st.st_rdev) & 07777777);
            octal(out.minor, sizeof out.minor, minor(st.st_rdev) & 07777777);
        }
        out.type = type;
        std::memcpy(out.magic, "ustar\00000", sizeof out.magic);
        std::memset(out.checksum, ' ', sizeof out.checksum);
        std::string text(reinterpret_cast<const char*>(&out), sizeof out);
        unsigned sum = 0;
        for (char c : text) sum += static_cast<unsigned char>(c);
        octal(text.data() + offsetof(Header, checksum), 7, sum);
        return text;
    }

    // What does not fit into a field is in an extended header before the entry.
    bool put_header(const std::string& path, char type, const struct stat& st, std::uint64_t size,
                    const std::string& link) {
        std::string records;
        if (path.size() > sizeof Header::name) records += pax_record("path", path);
        if (link.size() > sizeof Header::link) records += pax_record("linkpath", link);
        if (st.st_uid > 07777777) records += pax_record("uid", std::to_string(st.st_uid));
        if (st.st_gid > 07777777) records += pax_record("gid", std::to_string(st.st_gid));
        if (!records.empty()) {
            struct stat plain{};
            plain.st_mode = 0644;
            if (!put(header("PaxHeader", 'x', plain, records.size(), {})) || !put(padded(records)))
                return false;
        }
        return put(header(path, type, st, size, link));
    }

    bool put_mark(const std::string& path) {
        struct stat plain{};
        return put_header(path, '0', plain, 0, {});
    }

    bool add_folder(int fd, const std::string& shown, const std::string& prefix,
                    const struct stat& st, int depth) {
        if (depth > kDepthLimit) return fail(ELOOP, "too deep a chain of folders");
        if (!put_header(shown, '5', st, 0, {})) return false;
        char opaque = 0;
        if (::fgetxattr(fd, "user.overlay.opaque", &opaque, 1) == 1 && opaque == 'y' &&
            !put_mark(prefix + ".wh..wh..opq"))
            return false;
        std::vector<std::string> names;
        if (!list(fd, names)) return false;
        for (const std::string& name : names)
            if (!add_entry(fd, name, prefix + name, depth)) return false;
        return true;
    }

    bool list(int fd, std::vector<std::string>& names) {
        int own = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR* folder = own < 0 ? nullptr : ::fdopendir(own);
        if (folder == nullptr) return fail(errno, "list a folder");
        while (dirent* entry = ::readdir(folder)) {
            std::string_view name = entry->d_name;
            if (name == "." || name == "..") continue;
            if (++entries_ > kEntryLimit) break;
            names.emplace_back(name);
        }
        ::closedir(folder);
        if (entries_ > kEntryLimit)
            return fail(E2BIG, "more than " + std::to_string(kEntryLimit) + " files");
        std::sort(names.begin(), names.end());
        return true;
    }

    bool add_entry(int parent, const std::string& name, const std::string& path, int depth) {
        struct stat st{};
        if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
            return fail(errno, path);
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
            return put_mark(path.substr(0, path.size() - name.size()) + ".wh." + name);
        if (name.starts_with(".wh."))
            return fail(EINVAL, path + " would be read as the deletion of a file");
        if (S_ISSOCK(st.st_mode)) return true; // nobody will listen
        if (S_ISDIR(st.st_mode)) {
            int fd =
                ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (fd < 0) return fail(errno, path);
            bool good = add_folder(fd, path + "/", path + "/", st, depth + 1);
            ::close(fd);
            return good;
        }
        if (st.st_nlink > 1) {
            auto [first, fresh] = links_.try_emplace({st.st_dev, st.st_ino}, path);
            if (!fresh) return put_header(path, '1', st, 0, first->second);
        }
        if (S_ISREG(st.st_mode)) return add_file(parent, name, path, st);
        if (S_ISLNK(st.st_mode)) {
            char target[PATH_MAX];
            ssize_t n = ::readlinkat(parent, name.c_str(), target, sizeof target);
            if (n < 0) return fail(errno, path);
            return put_header(path, '2', st, 0, std::string(target, static_cast<std::size_t>(n)));
        }
        char type = S_ISCHR(st.st_mode) ? '3' : S_ISBLK(st.st_mode) ? '4' : '6';
        return put_header(path, type, st, 0, {});
    }

    bool add_file(int parent, const std::string& name, const std::string& path,
                  const struct stat& st) {
        auto left = static_cast<std::uint64_t>(st.st_size);
        if (!put_header(path, '0', st, left, {})) return false;
        std::uint64_t padding = (kBlock - left % kBlock) % kBlock;
        if (!count(left + padding)) return true;
        int fd = ::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) return fail(errno, path);
        static char buffer[65536];
        bool good = true;
        while (good && left > 0) {
            ssize_t n = ::read(fd, buffer, std::min<std::uint64_t>(left, sizeof buffer));
            if (n < 0 && errno == EINTR) continue;
            good = n > 0 || fail(n < 0 ? errno : EIO, path); // it became shorter
            if (good) good = write(buffer, static_cast<std::size_t>(n));
            left -= good ? static_cast<std::uint64_t>(n) : 0;
        }
        ::close(fd);
        static const char zeros[kBlock] = {};
        return good && write(zeros, padding);
    }

    const int out_;
    const std::uint64_t limit_;
    std::uint64_t size_ = 0, entries_ = 0;
    std::map<std::pair<dev_t, ino_t>, std::string> links_; // first name of what has several
    int error_ = EIO;
    std::string stage_;
};

} // namespace

int layer_tar(const wire::Message& message, std::string& answer, std::string& stage) {
    wire::Reader reader(message.payload);
    std::uint64_t limit = reader.u64();
    std::vector<std::string> uppers = reader.list(), places = reader.list();
    stage = "layer message";
    if (!reader.done() || message.fds.size() != 1 || uppers.size() != places.size()) return EBADMSG;
    LayerTar tar(message.fds[0], limit);
    bool good = true;
    for (std::size_t i = 0; good && i < uppers.size(); i++)
        good = tar.add_upper(uppers[i], places[i]);
    good = good && tar.end();
    stage = tar.stage();
    answer = wire::Writer().u64(tar.size()).data();
    return good ? 0 : tar.error();
}

} // namespace assay::launch
