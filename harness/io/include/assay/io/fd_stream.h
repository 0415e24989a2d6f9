// Stream over any descriptor: pipe, socket, pty master. Waiting is poll(2) in the calling thread,
// so thousands of streams need no thread of their own.
//
// The descriptor is made non-blocking (sockets excepted: they are used with MSG_DONTWAIT). That
// holds for the open file, so do not wrap a terminal that other programs share.
// One reader and one writer may work at the same time. close() from a third thread wakes both; the
// descriptor itself is closed when the last call that uses it has left, so that its number is never
// reused under a running call.
#pragma once

#include "assay/base/fd.h"
#include "assay/base/stream.h"

#include <memory>
#include <mutex>
#include <utility>

namespace assay {

class FdStream final : public Stream {
  public:
    explicit FdStream(UniqueFd fd);
    ~FdStream() override;

    // On a pty master EIO (every slave was closed) is end of file.
    std::size_t read(std::span<char> into, const Cancel& cancel) override;
    void write(std::string_view data, const Cancel& cancel) override;
    // Socket: SHUT_WR. Pty: Ctrl-D. Pipe: closed, for it has one direction only.
    void shutdown_write() override;
    void close() override;
    int poll_fd() const override; // -1 once closed

  private:
    enum class Kind { Socket, Terminal, Other };
    class Use;
    bool wait(short events, const Cancel& cancel); // false: closed

    mutable std::mutex mutex_;
    UniqueFd fd_;
    UniqueFd wake_; // eventfd, readable once closed
    Kind kind_ = Kind::Other;
    int users_ = 0;
    bool closed_ = false;
};

struct Pipe {
    UniqueFd read_end, write_end; // close-on-exec
};
Pipe make_pipe();

struct SocketPair {
    UniqueFd first, second; // Unix stream sockets, close-on-exec
};
SocketPair make_socket_pair();

UniqueFd duplicate(int fd); // close-on-exec

// Two connected streams inside this process: for tests and in-process services.
std::pair<std::unique_ptr<FdStream>, std::unique_ptr<FdStream>> make_stream_pair();

} // namespace assay
