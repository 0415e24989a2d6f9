#include "wire/wire.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace assay::wire {

void close_fds(std::vector<int>& fds) {
    for (int fd : fds) ::close(fd);
    fds.clear();
}

namespace {

int to_memfd(std::string_view payload) {
    int fd = ::memfd_create("assay-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    while (!payload.empty()) {
        ssize_t n = ::write(fd, payload.data(), payload.size());
        if (n <= 0) {
            ::close(fd);
            return -1;
        }
        payload.remove_prefix(static_cast<std::size_t>(n));
    }
    ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    return fd;
}

// Only a sealed memfd is read: anything else could block, or change while it is read.
bool from_memfd(int fd, std::size_t size, std::string& out) {
    int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_WRITE) == 0 || size > kPayloadLimit) return false;
    out.resize(size);
    std::size_t at = 0;
    while (at < size) {
        ssize_t n = ::pread(fd, out.data() + at, size - at, static_cast<off_t>(at));
        if (n <= 0) return false;
        at += static_cast<std::size_t>(n);
    }
    return true;
}

} // namespace

int send_message(int socket, Op op, std::uint32_t id, std::string_view payload,
                 const std::vector<int>& fds) {
    if (payload.size() > kPayloadLimit) return E2BIG;
    std::vector<int> passed = fds;
    Header header{static_cast<std::uint32_t>(op), id, 0,
                  static_cast<std::uint32_t>(payload.size())};
    int memfd = -1;
    if (payload.size() > kInlineLimit) {
        memfd = to_memfd(payload);
        if (memfd < 0) return errno;
        passed.push_back(memfd);
        header.flags = kInMemfd;
        payload = {};
    }
    iovec parts[2] = {{&header, sizeof header},
                      {const_cast<char*>(payload.data()), payload.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    int result = 0;
    if (passed.size() > kMaxFds) {
        result = E2BIG;
    } else {
        if (!passed.empty()) {
            message.msg_control = control;
            message.msg_controllen = CMSG_SPACE(sizeof(int) * passed.size());
            cmsghdr* c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * passed.size());
            std::memcpy(CMSG_DATA(c), passed.data(), sizeof(int) * passed.size());
        }
        ssize_t n;
        do n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        result = n < 0 ? errno : 0;
    }
    if (memfd >= 0) ::close(memfd);
    return result;
}

int receive_message(int socket, Message& out) {
    Header header;
    std::string inline_part(kInlineLimit, '\0');
    iovec parts[2] = {{&header, sizeof header}, {inline_part.data(), inline_part.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds) + CMSG_SPACE(sizeof(ucred))];
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    // A peer that ended with our message unread resets the connection; the kernel says so once, and
    // only then hands out what the peer had sent before: its reason.
    ssize_t n;
    bool reset = false;
    do {
        n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        bool first_reset = n < 0 && errno == ECONNRESET && !reset;
        reset = reset || first_reset;
        if (!first_reset && !(n < 0 && errno == EINTR)) break;
    } while (true);
    if (n < 0) return errno == ECONNRESET || (reset && errno == EAGAIN) ? -1 : errno;
    out.fds.clear();
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            std::size_t before = out.fds.size();
            out.fds.resize(before + count);
            std::memcpy(out.fds.data() + before, CMSG_DATA(c), count * sizeof(int));
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            ucred who{};
            std::memcpy(&who, CMSG_DATA(c), sizeof who);
            out.sender_pid = who.pid;
        }
    }
    if (n == 0) {
        close_fds(out.fds);
        return -1;
    }
    bool good = static_cast<std::size_t>(n) >= sizeof header &&
                (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    if (good && (header.flags & kInMemfd) != 0) {
        good = !out.fds.empty() && from_memfd(out.fds.back(), header.size, out.payload);
        if (good) {
            ::close(out.fds.back());
            out.fds.pop_back();
        }
    } else if (good) {
        good = header.size == static_cast<std::size_t>(n) - sizeof header;
        if (good) out.payload.assign(inline_part.data(), header.size);
    }
    if (!good) {
        close_fds(out.fds);
        return EBADMSG;
    }
    out.op = static_cast<Op>(header.op);
    out.id = header.id;
    return 0;
}

std::string encode(const EntryHead& head) {
    std::string out(1, static_cast<char>(head.kind));
    Writer rest;
    rest.u32(head.mode).u64(head.size).str(head.path);
    return out + rest.data();
}

} // namespace assay::wire
