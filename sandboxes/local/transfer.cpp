#include "local/transfer.h"

#include "assay/base/text.h"
#include "assay/io/fd_stream.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace assay::local {
namespace {

using wire::Entry;
using wire::EntryHead;

constexpr std::uint64_t kEntryLimit = 1'100'000;
constexpr int kDepthLimit = 256;

Error bad_stream() {
    return Error(ErrorKind::Sandbox, "malformed file transfer from the sandbox");
}

class Transfer {
  public:
    Transfer(Channel& channel, wire::FileOp op, const std::string& path, unsigned mode,
             std::uint64_t limit, const Cancel& cancel) {
        if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos ||
            path.size() >= wire::kPathLimit)
            throw Error(ErrorKind::Sandbox, "not an absolute path: " + path);
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            throw io_error("socketpair", errno);
        UniqueFd theirs(pair[1]);
        stream_ = std::make_unique<FdStream>(UniqueFd(pair[0]));
        wire::Writer request;
        request.u32(static_cast<std::uint32_t>(op)).str(path).u32(mode).u64(limit);
        Reply reply = channel.request(wire::Op::File, request.data(), {theirs.get()}, cancel);
        if (reply.error != 0)
            throw Error(ErrorKind::Sandbox,
                        "file transfer, " + reply.stage + ": " + std::strerror(reply.error));
    }
    Stream& stream() { return *stream_; }

  private:
    std::unique_ptr<FdStream> stream_;
};

void take(Stream& from, char* into, std::size_t size, const Cancel& cancel) {
    while (size > 0) {
        std::size_t n = from.read({into, size}, cancel);
        if (n == 0) throw SandboxLost("the sandbox ended during a file transfer");
        into += n;
        size -= n;
    }
}

EntryHead take_head(Stream& from, const Cancel& cancel) {
    char fixed[17];
    take(from, fixed, sizeof fixed, cancel);
    EntryHead head;
    std::uint32_t length = 0;
    head.kind = static_cast<Entry>(fixed[0]);
    std::memcpy(&head.mode, fixed + 1, 4);
    std::memcpy(&head.size, fixed + 5, 8);
    std::memcpy(&length, fixed + 13, 4);
    if (length >= wire::kPathLimit) throw bad_stream();
    head.path.resize(length);
    take(from, head.path.data(), length, cancel);
    return head;
}

std::string take_text(Stream& from, const EntryHead& head, const Cancel& cancel) {
    if (head.size > wire::kTextLimit) throw bad_stream();
    std::string text(static_cast<std::size_t>(head.size), '\0');
    take(from, text.data(), text.size(), cancel);
    return text;
}

[[noreturn]] void throw_error(Stream& from, const EntryHead& head, const Cancel& cancel) {
    std::string text = take_text(from, head, cancel);
    wire::Reader reader(text);
    int error = reader.i32();
    std::string what = reader.str();
    if (!reader.done()) throw bad_stream();
    if (error == EFBIG) throw PathError(what + " is over the size limit");
    std::string message = "in the sandbox: " + what + ": " + std::strerror(error);
    for (int of_the_path : {EISDIR, ENOTDIR, ELOOP, EACCES, EINVAL, EXDEV, ENAMETOOLONG})
        if (error == of_the_path) throw PathError(message);
    throw Error(ErrorKind::Sandbox, message);
}

// After a put or a removal: the worker's verdict. Also called when writing to it failed, for its
// reason.
void finish_put(Stream& stream, const Cancel& cancel) {
    EntryHead head = take_head(stream, cancel);
    if (head.kind == Entry::Error) throw_error(stream, head, cancel);
    if (head.kind != Entry::End) throw bad_stream();
}

struct PeerGone {}; // the worker stopped reading: finish_put() tells why

void push(Stream& to, std::string_view data, const Cancel& cancel) {
    try {
        to.write(data, cancel);
    } catch (const Error&) {
        throw PeerGone{};
    }
}

void send_entry(Stream& to, const EntryHead& head, std::string_view data, const Cancel& cancel) {
    push(to, wire::encode(head), cancel);
    push(to, data, cancel);
}

class FolderSender {
  public:
    FolderSender(Stream& to, const Cancel& cancel)
        : to_(to)
        , cancel_(cancel) {}

    void folder(const Path& host, const std::string& prefix) {
        RealFileSystem files;
        for (const std::string& name : files.list(host)) {
            std::string path = prefix.empty() ? name : prefix + "/" + name;
            if (path.size() >= wire::kPathLimit)
                throw Error(ErrorKind::Input, "too long a path: " + path);
            entry(host / name, path);
        }
    }

  private:
    void entry(const Path& host, const std::string& path) {
        struct stat st{};
        if (::lstat(host.c_str(), &st) != 0) throw io_error("stat " + host.string(), errno);
        if (S_ISDIR(st.st_mode)) {
            send_entry(to_, {Entry::Folder, st.st_mode & 07777, 0, path}, {}, cancel_);
            folder(host, path);
        } else if (S_ISLNK(st.st_mode)) {
            std::string target = std::filesystem::read_symlink(host).string();
            send_entry(to_, {Entry::Link, 0, target.size(), path}, target, cancel_);
        } else if (S_ISREG(st.st_mode)) {
            file(host, path);
        } else {
            throw Error(ErrorKind::Input, host.string() + " is neither file, folder nor link");
        }
    }

    void file(const Path& host, const std::string& path) {
        UniqueFd fd(::open(host.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        struct stat st{};
        if (!fd || ::fstat(fd.get(), &st) != 0) throw io_error("open " + host.string(), errno);
        auto left = static_cast<std::uint64_t>(st.st_size);
        push(to_, wire::encode({Entry::File, st.st_mode & 07777, left, path}), cancel_);
        std::vector<char> buffer(65536);
        while (left > 0) {
            std::size_t want = std::min<std::uint64_t>(left, buffer.size());
            ssize_t n = ::read(fd.get(), buffer.data(), want);
            if (n <= 0) throw io_error("read " + host.string() + " (it became shorter)", EIO);
            push(to_, {buffer.data(), static_cast<std::size_t>(n)}, cancel_);
            left -= static_cast<std::uint64_t>(n);
        }
    }

    Stream& to_;
    const Cancel& cancel_;
};

// Writes below one host folder, by descriptors.
class FolderReceiver {
  public:
    explicit FolderReceiver(const Path& folder) {
        RealFileSystem().make_folders(folder);
        root_ = UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!root_) throw io_error("open " + folder.string(), errno);
    }

    void make_folder(const std::string& path, unsigned mode) {
        auto [parent, name] = parent_of(path);
        if (::mkdirat(parent.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
            throw io_error("make folder " + path, errno);
        UniqueFd fd(open_folder(parent.get(), name));
        ::fchmod(fd.get(), (mode & 0777) | 0700); // ours to write and to delete
    }

    void make_link(const std::string& path, const std::string& target) {
        auto [parent, name] = parent_of(path);
        if (::symlinkat(target.c_str(), parent.get(), name.c_str()) != 0)
            throw io_error("make link " + path, errno);
    }

    void write(const std::string& path, unsigned mode, std::uint64_t size, Stream& from,
               const Cancel& cancel) {
        auto [parent, name] = parent_of(path);
        ::unlinkat(parent.get(), name.c_str(), 0);
        UniqueFd fd(::openat(parent.get(), name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             (mode & 0777) | 0600));
        if (!fd) throw io_error("create " + path, errno);
        std::vector<char> buffer(65536);
        while (size > 0) {
            std::size_t n =
                from.read({buffer.data(), std::min<std::uint64_t>(size, buffer.size())}, cancel);
            if (n == 0) throw SandboxLost("the sandbox ended during a file transfer");
            for (std::size_t at = 0; at < n;) {
                ssize_t done = ::write(fd.get(), buffer.data() + at, n - at);
                if (done < 0 && errno == EINTR) continue;
                if (done <= 0) throw io_error("write " + path, errno);
                at += static_cast<std::size_t>(done);
            }
            size -= n;
        }
    }

  private:
    static UniqueFd open_folder(int at, const std::string& name) {
        UniqueFd fd(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!fd) throw io_error("open folder " + name, errno);
        return fd;
    }
    std::pair<UniqueFd, std::string> parent_of(const std::string& path) {
        std::vector<std::string_view> parts = split(path, '/');
        if (parts.size() > kDepthLimit || path.find('\0') != std::string::npos) throw bad_stream();
        for (std::string_view part : parts)
            if (part.empty() || part == "." || part == ".." || part.size() > 255)
                throw bad_stream();
        UniqueFd at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
        for (std::size_t i = 0; i + 1 < parts.size(); i++)
            at = open_folder(at.get(), std::string(parts[i]));
        return {std::move(at), std::string(parts.back())};
    }

    UniqueFd root_;
};

// Whether the link at `path` cannot lead out of the tree, whatever other such links it goes
// through: it climbs no higher than the tree, and only before it names anything. (After a name,
// "..": is the parent of wherever a link of that name leads.)
bool stays_inside(const std::string& path, const std::string& target) {
    if (target.empty() || target[0] == '/' || target.find('\0') != std::string::npos) return false;
    std::size_t may_climb = split(path, '/').size() - 1;
    bool named = false;
    for (std::string_view part : split(target, '/')) {
        if (part.empty() || part == ".") continue;
        if (part != "..")
            named = true;
        else if (named || may_climb-- == 0)
            return false;
    }
    return true;
}

} // namespace

void put_file(Channel& channel, const std::string& path, std::string_view data, unsigned mode,
              const Cancel& cancel) {
    Transfer transfer(channel, wire::FileOp::PutFile, path, mode, 0, cancel);
    Stream& stream = transfer.stream();
    try {
        send_entry(stream, {Entry::File, mode, data.size(), {}}, data, cancel);
        push(stream, wire::encode({Entry::End, 0, 0, {}}), cancel);
        stream.shutdown_write();
    } catch (const PeerGone&) {
    }
    finish_put(stream, cancel);
}

void put_folder(Channel& channel, const Path& folder, const std::string& path,
                const Cancel& cancel) {
    struct stat st{};
    if (::stat(folder.c_str(), &st) != 0 || !S_ISDIR(st.st_mode))
        throw io_error("open folder " + folder.string(), errno != 0 ? errno : ENOTDIR);
    Transfer transfer(channel, wire::FileOp::PutFolder, path, st.st_mode & 07777, 0, cancel);
    Stream& stream = transfer.stream();
    try {
        FolderSender(stream, cancel).folder(folder, {});
        push(stream, wire::encode({Entry::End, 0, 0, {}}), cancel);
        stream.shutdown_write();
    } catch (const PeerGone&) {
    }
    finish_put(stream, cancel);
}

std::optional<std::string> get_file(Channel& channel, const std::string& path, std::uint64_t limit,
                                    const Cancel& cancel) {
    Transfer transfer(channel, wire::FileOp::GetFile, path, 0, limit, cancel);
    Stream& stream = transfer.stream();
    EntryHead head = take_head(stream, cancel);
    if (head.kind == Entry::Missing) return std::nullopt;
    if (head.kind == Entry::Error) throw_error(stream, head, cancel);
    if (head.kind != Entry::File || head.size > limit) throw bad_stream();
    std::string out;
    std::vector<char> buffer(65536);
    while (out.size() < head.size) { // grows with what came, not with what was promised
        std::size_t want = std::min<std::uint64_t>(head.size - out.size(), buffer.size());
        take(stream, buffer.data(), want, cancel);
        out.append(buffer.data(), want);
    }
    return out;
}

void remove(Channel& channel, const std::string& path, const Cancel& cancel) {
    Transfer transfer(channel, wire::FileOp::Remove, path, 0, 0, cancel);
    finish_put(transfer.stream(), cancel);
}

std::vector<std::string> receive_tree(Stream& from, const Path& folder, std::uint64_t limit,
                                      const Cancel& cancel) {
    FolderReceiver receiver(folder);
    std::vector<std::string> left_out;
    std::uint64_t bytes = 0;
    for (std::uint64_t entries = 0;; entries++) {
        if (entries > kEntryLimit) throw bad_stream();
        EntryHead head = take_head(from, cancel);
        switch (head.kind) {
        case Entry::End:
        case Entry::Missing:
            return left_out;
        case Entry::Error:
            throw_error(from, head, cancel);
        case Entry::Folder:
            receiver.make_folder(head.path, head.mode);
            break;
        case Entry::File:
            if (head.size > limit - bytes) throw bad_stream();
            bytes += head.size;
            receiver.write(head.path, head.mode, head.size, from, cancel);
            break;
        case Entry::Link: {
            std::string target = take_text(from, head, cancel);
            if (stays_inside(head.path, target))
                receiver.make_link(head.path, target);
            else
                left_out.push_back(utf8_clean(head.path + " (a link out of the folder)"));
            break;
        }
        case Entry::Skip: {
            std::string why = take_text(from, head, cancel);
            left_out.push_back(utf8_clean(head.path + " (" + why + ")"));
            break;
        }
        default:
            throw bad_stream();
        }
    }
}

std::vector<std::string> get_folder(Channel& channel, const std::string& path, const Path& folder,
                                    std::uint64_t limit, const Cancel& cancel) {
    Transfer transfer(channel, wire::FileOp::GetFolder, path, 0, limit, cancel);
    return receive_tree(transfer.stream(), folder, limit, cancel);
}

} // namespace assay::local
