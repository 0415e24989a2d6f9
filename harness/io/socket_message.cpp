#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"
#include "assay/io/socket.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace assay {

namespace {

constexpr std::size_t kHeader = 4;

union ControlBuffer {
    cmsghdr align;
    char bytes[CMSG_SPACE(kMaxMessageFds * sizeof(int))];
};

void attach(msghdr& message, ControlBuffer& control, std::span<const int> fds) {
    if (fds.empty()) return;
    std::memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
}

void take_fds(msghdr& message, std::vector<UniqueFd>& into) {
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
        std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd;
            std::memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof fd);
            into.emplace_back(fd);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0 || into.size() > kMaxMessageFds)
        throw Error(ErrorKind::Io, "a message carries too many descriptors");
}

// Reads exactly `size` bytes; returns how many came before end of file.
std::size_t receive_exactly(int socket, char* into, std::size_t size, std::vector<UniqueFd>& fds,
                            const Cancel& cancel) {
    std::size_t have = 0;
    while (have < size) {
        iovec part{into + have, size - have};
        ControlBuffer control;
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        ssize_t n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n > 0) {
            take_fds(message, fds);
            have += static_cast<std::size_t>(n);
        } else if (n == 0) {
            return have;
        } else if (errno == EAGAIN) {
            poll_one(socket, POLLIN, cancel);
        } else if (errno != EINTR) {
            throw io_error("receive a message", errno);
        }
    }
    return have;
}

} // namespace

void send_message(int socket, std::string_view data, std::span<const int> fds,
                  const Cancel& cancel) {
    cancel.check();
    if (fds.size() > kMaxMessageFds || data.size() > UINT32_MAX)
        throw Error(ErrorKind::Internal, "message is too large");
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8)
        bytes.push_back(static_cast<char>(data.size() >> shift & 0xff));
    bytes += data;
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        iovec part{bytes.data() + sent, bytes.size() - sent};
        ControlBuffer control;
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (sent == 0) attach(message, control, fds);
        ssize_t n = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            sent += static_cast<std::size_t>(n);
        else if (errno == EAGAIN)
            poll_one(socket, POLLOUT, cancel);
        else if (errno != EINTR)
            throw io_error("send a message", errno);
    }
}

std::optional<SocketMessage> receive_message(int socket, std::size_t limit, const Cancel& cancel) {
    cancel.check();
    SocketMessage message;
    char header[kHeader];
    std::size_t got = receive_exactly(socket, header, kHeader, message.fds, cancel);
    if (got == 0) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t i = 0; i < kHeader; ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(header[i])) << (8 * i);
    if (got == kHeader && size > limit)
        throw Error(ErrorKind::Io,
                    fmt::format("a message of {} bytes is over the limit of {}", size, limit));
    if (got == kHeader) {
        message.data.resize(size);
        got += receive_exactly(socket, message.data.data(), size, message.fds, cancel);
    }
    if (got != kHeader + size) throw Error(ErrorKind::Io, "a message was cut off");
    return message;
}

} // namespace assay
