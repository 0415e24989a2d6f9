#include "local/channel.h"

#include "assay/base/cancel_fd.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace assay::local {

std::pair<UniqueFd, UniqueFd> message_sockets() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        throw io_error("socketpair", errno);
    return {UniqueFd(pair[0]), UniqueFd(pair[1])};
}

Channel::Channel(UniqueFd socket, std::string name)
    : name_(std::move(name))
    , socket_(std::move(socket)) {
    int on = 1; // the kernel tells init's pid in our pid namespace
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        throw io_error("SO_PASSCRED", errno);
}

void Channel::send(wire::Op op, std::string_view payload, const std::vector<int>& fds) {
    std::lock_guard lock(mutex_);
    int error = socket_ ? wire::send_message(socket_.get(), op, 0, payload, fds) : EPIPE;
    if (error == EPIPE || error == ECONNRESET) throw SandboxLost("sandbox " + name_ + " is gone");
    if (error != 0) throw io_error("send to sandbox " + name_, error);
}

Reply Channel::request(wire::Op op, std::string_view payload, const std::vector<int>& fds,
                       const Cancel& cancel) {
    cancel.check();
    std::lock_guard lock(mutex_);
    std::uint32_t id = next_id_++;
    int error = socket_ ? wire::send_message(socket_.get(), op, id, payload, fds) : EPIPE;
    if (error == EPIPE || error == ECONNRESET) throw SandboxLost("sandbox " + name_ + " is gone");
    if (error == E2BIG || error == EMSGSIZE)
        throw StartError("the arguments and environment are larger than Linux takes");
    if (error != 0) throw io_error("send to sandbox " + name_, error);
    return receive(id, wire::Op::Ok, cancel);
}

Reply Channel::wait_hello(const Cancel& cancel) {
    std::lock_guard lock(mutex_);
    return receive(0, wire::Op::Hello, cancel);
}

Reply Channel::errand(wire::Op op, std::string_view payload, const std::vector<int>& fds,
                      const Cancel& cancel) {
    send(op, payload, fds);
    std::lock_guard lock(mutex_);
    Reply reply = receive(0, wire::Op::Ok, cancel);
    if (reply.error != 0)
        throw Error(ErrorKind::Sandbox,
                    name_ + ": " + reply.stage + ": " + std::strerror(reply.error))
            .hint("`assay doctor` checks what sandboxes need");
    return reply;
}

// Answers to a request that was interrupted are passed over by their id.
Reply Channel::receive(std::uint32_t id, wire::Op expected, const Cancel& cancel) {
    for (;;) {
        poll_one(socket_.get(), POLLIN, cancel);
        wire::Message message;
        int error = wire::receive_message(socket_.get(), message);
        Reply reply;
        for (int fd : message.fds) reply.fds.emplace_back(fd);
        if (error < 0) throw SandboxLost("sandbox " + name_ + " is gone");
        if (error == EBADMSG) throw SandboxLost("sandbox " + name_ + " sent a malformed message");
        if (error != 0) throw io_error("receive from sandbox " + name_, error);
        if (message.id != id) continue;
        reply.sender_pid = message.sender_pid;
        if (message.op == wire::Op::Failed) {
            wire::Reader reader(message.payload);
            reply.error = reader.i32();
            reply.stage = reader.str();
            if (!reader.done() || reply.error == 0) reply.error = EBADMSG;
            return reply;
        }
        if (message.op != expected)
            throw SandboxLost("sandbox " + name_ + " sent an unexpected message");
        reply.payload = std::move(message.payload);
        return reply;
    }
}

void Channel::rename(std::string name) {
    std::lock_guard lock(mutex_);
    name_ = std::move(name);
}

bool Channel::alive() const {
    if (!socket_) return false;
    pollfd fd{socket_.get(), 0, 0};
    return ::poll(&fd, 1, 0) == 0;
}

void Channel::close() {
    if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
}

} // namespace assay::local
