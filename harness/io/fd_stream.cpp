#include "assay/io/fd_stream.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

namespace assay {

namespace {

// write(2) on a pipe without a reader raises SIGPIPE in the calling thread. Blocks it for one call
// and takes it back if the call raised it; a SIGPIPE that was pending before stays pending.
class SigpipeGuard {
  public:
    SigpipeGuard() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~SigpipeGuard() {
        if (raised_ && !was_pending_) {
            timespec none{};
            while (sigtimedwait(&pipe_, nullptr, &none) < 0 && errno == EINTR) {
            }
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    void raised() { raised_ = true; }

  private:
    sigset_t pipe_, before_;
    bool was_pending_ = false;
    bool raised_ = false;
};

ssize_t write_some(int fd, bool socket, std::string_view data) {
    if (socket) return ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    SigpipeGuard guard;
    ssize_t n = ::write(fd, data.data(), data.size());
    int number = errno;
    if (n < 0 && number == EPIPE) guard.raised();
    errno = number;
    return n;
}

} // namespace

// Keeps the descriptor open while a call works on it.
class FdStream::Use {
  public:
    explicit Use(FdStream& stream)
        : stream_(stream) {
        std::lock_guard lock(stream_.mutex_);
        if (stream_.closed_) return;
        ++stream_.users_;
        fd_ = stream_.fd_.get();
    }
    ~Use() {
        if (fd_ < 0) return;
        std::lock_guard lock(stream_.mutex_);
        if (--stream_.users_ == 0 && stream_.closed_) stream_.fd_.reset();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    int fd() const { return fd_; } // -1: the stream is closed

  private:
    FdStream& stream_;
    int fd_ = -1;
};

FdStream::FdStream(UniqueFd fd)
    : fd_(std::move(fd))
    , wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw io_error("eventfd", errno);
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) throw io_error("fstat of a stream's descriptor", errno);
    if (S_ISSOCK(info.st_mode)) {
        kind_ = Kind::Socket;
        return;
    }
    if (S_ISCHR(info.st_mode) && ::isatty(fd_.get()) == 1) kind_ = Kind::Terminal;
    int flags = ::fcntl(fd_.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) < 0)
        throw io_error("make a descriptor non-blocking", errno);
}

FdStream::~FdStream() = default;

bool FdStream::wait(short events, const Cancel& cancel) {
    int fd;
    {
        std::lock_guard lock(mutex_);
        if (closed_) return false;
        fd = fd_.get(); // stays open: the caller holds a Use
    }
    CancelFd stop(cancel);
    for (;;) {
        cancel.check();
        pollfd polls[3] = {{fd, events, 0}, {wake_.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}};
        int ready = ::poll(polls, 3, cancel.poll_timeout());
        if (ready < 0 && errno != EINTR) throw io_error("poll", errno);
        if (ready <= 0) continue;
        if (polls[1].revents != 0) return false;
        if (polls[0].revents != 0) return true;
    }
}

std::size_t FdStream::read(std::span<char> into, const Cancel& cancel) {
    cancel.check();
    if (into.empty()) return 0;
    Use use(*this);
    if (use.fd() < 0) return 0;
    for (;;) {
        ssize_t n = kind_ == Kind::Socket ? ::recv(use.fd(), into.data(), into.size(), MSG_DONTWAIT)
                                          : ::read(use.fd(), into.data(), into.size());
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno == EINTR) continue;
        if (errno == EIO && kind_ == Kind::Terminal) return 0;
        if (errno != EAGAIN && errno != EWOULDBLOCK) throw io_error("read", errno);
        if (!wait(POLLIN, cancel)) return 0;
    }
}

void FdStream::write(std::string_view data, const Cancel& cancel) {
    cancel.check();
    Use use(*this);
    if (use.fd() < 0) throw Error(ErrorKind::Io, "write: the stream is closed");
    while (!data.empty()) {
        ssize_t n = write_some(use.fd(), kind_ == Kind::Socket, data);
        if (n >= 0) {
            data.remove_prefix(static_cast<std::size_t>(n));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) throw io_error("write", errno);
        if (!wait(POLLOUT, cancel)) throw Error(ErrorKind::Io, "write: the stream is closed");
    }
}

void FdStream::shutdown_write() {
    if (kind_ == Kind::Other) return close();
    Use use(*this);
    if (use.fd() < 0) return;
    if (kind_ == Kind::Socket)
        ::shutdown(use.fd(), SHUT_WR);
    else
        write_some(use.fd(), false, "\x04");
}

void FdStream::close() {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof one);
    if (users_ == 0)
        fd_.reset();
    else if (kind_ == Kind::Socket)
        ::shutdown(fd_.get(), SHUT_RDWR); // the peer learns of it even if the reader is slow to go
}

int FdStream::poll_fd() const {
    std::lock_guard lock(mutex_);
    return closed_ ? -1 : fd_.get();
}

Pipe make_pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw io_error("pipe", errno);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

SocketPair make_socket_pair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        throw io_error("socketpair", errno);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

UniqueFd duplicate(int fd) {
    UniqueFd made(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!made) throw io_error("duplicate a descriptor", errno);
    return made;
}

std::pair<std::unique_ptr<FdStream>, std::unique_ptr<FdStream>> make_stream_pair() {
    SocketPair pair = make_socket_pair();
    return {std::make_unique<FdStream>(std::move(pair.first)),
            std::make_unique<FdStream>(std::move(pair.second))};
}

} // namespace assay
