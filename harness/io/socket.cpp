#include "assay/io/socket.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"
#include "assay/io/fd_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace assay {

namespace {

using namespace std::chrono_literals;

UniqueFd make_socket(int family, int flags = 0) {
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (!fd) throw io_error("socket", errno);
    return fd;
}

// sun_path holds 107 characters; a longer path goes through /proc/self/fd/<folder>/<name>.
struct UnixAddress {
    explicit UnixAddress(const Path& path) {
        std::string text = path.string();
        if (text.size() >= sizeof address.sun_path) {
            folder = UniqueFd(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            if (!folder) throw io_error("open folder " + path.parent_path().string(), errno);
            text = fmt::format("/proc/self/fd/{}/{}", folder.get(), path.filename().string());
        }
        if (text.size() >= sizeof address.sun_path)
            throw Error(ErrorKind::Io, "socket name is too long: " + path.string());
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
    sockaddr_un address{};
    UniqueFd folder;
};

// connect(2) on a non-blocking socket; returns 0 or errno.
int connect_nonblocking(int fd, const sockaddr* address, socklen_t length, const Cancel& cancel) {
    while (::connect(fd, address, length) != 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) { // Unix socket: the listener's queue is full
            if (!cancel.sleep_for(5ms)) cancel.check();
            continue;
        }
        if (errno != EINPROGRESS && errno != EALREADY) return errno == EISCONN ? 0 : errno;
        poll_one(fd, POLLOUT, cancel);
        int number = 0;
        socklen_t size = sizeof number;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size);
        return number;
    }
    return 0;
}

void set_blocking(int fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

std::string address_text(const sockaddr* address) {
    char buffer[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET) {
        auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
        ::inet_ntop(AF_INET, &v4->sin_addr, buffer, sizeof buffer);
        return fmt::format("{}:{}", buffer, ntohs(v4->sin_port));
    }
    auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, buffer, sizeof buffer);
    return fmt::format("[{}]:{}", buffer, ntohs(v6->sin6_port));
}

struct Lookup { // shared with the resolver thread, which may outlive the caller
    std::mutex mutex;
    int status = 0;
    int error_number = 0;
    std::vector<SocketAddress> found;
    Pipe done; // the thread closes its write end
};

void look_up(const std::shared_ptr<Lookup>& lookup, const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (status == EAI_NONAME || status == EAI_ADDRFAMILY) { // loopback only: ADDRCONFIG hides it
        hints.ai_flags = AI_NUMERICSERV;
        status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    }
    std::lock_guard lock(lookup->mutex);
    lookup->status = status;
    lookup->error_number = errno;
    if (status == 0) {
        for (addrinfo* at = list; at != nullptr; at = at->ai_next)
            lookup->found.push_back(
                {std::string(reinterpret_cast<const char*>(at->ai_addr), at->ai_addrlen),
                 address_text(at->ai_addr)});
        ::freeaddrinfo(list);
    }
    lookup->done.write_end.reset();
}

} // namespace

UniqueFd listen_unix(const Path& path, unsigned mode) {
    UniqueFd fd = make_socket(AF_UNIX);
    UnixAddress address(path);
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
    // The mode of the new file comes from the socket's own inode, so there is no open moment.
    ::fchmod(fd.get(), mode);
    if (::bind(fd.get(), address.get(), sizeof address.address) != 0)
        throw io_error("bind " + path.string(), errno);
    if (::listen(fd.get(), 128) != 0) throw io_error("listen on " + path.string(), errno);
    return fd;
}

UniqueFd connect_unix(const Path& path, const Cancel& cancel) {
    UniqueFd fd = make_socket(AF_UNIX, SOCK_NONBLOCK);
    UnixAddress address(path);
    int number = connect_nonblocking(fd.get(), address.get(), sizeof address.address, cancel);
    if (number != 0) throw io_error("connect to " + path.string(), number);
    set_blocking(fd.get());
    return fd;
}

TcpListener listen_loopback(std::uint16_t port) {
    return listen_tcp({"127.0.0.1", port, true});
}

std::string ListenAddress::text() const {
    bool v6 = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

ListenAddress parse_listen_address(std::string_view text) {
    auto refuse = [&](const char* why) {
        throw Error(ErrorKind::Usage, fmt::format("'{}' is no address to listen on: {}", text, why))
            .hint("ADDRESS:PORT, such as 127.0.0.1:8000 or [::1]:8000");
    };
    std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) refuse("the port is missing");
    ListenAddress out;
    std::string_view port = text.substr(colon + 1), host = text.substr(0, colon);
    auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (failed != std::errc() || end != port.data() + port.size()) refuse("the port is no number");
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    out.host = host == "localhost" ? "127.0.0.1" : host;
    in_addr v4{};
    in6_addr v6{};
    if (::inet_pton(AF_INET, out.host.c_str(), &v4) == 1)
        out.loopback = ntohl(v4.s_addr) >> 24 == 127;
    else if (::inet_pton(AF_INET6, out.host.c_str(), &v6) == 1)
        out.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    else
        refuse("the host must be a number, or localhost");
    return out;
}

TcpListener listen_tcp(const ListenAddress& at) {
    sockaddr_storage address{};
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    bool is_v4 = ::inet_pton(AF_INET, at.host.c_str(), &v4->sin_addr) == 1;
    if (!is_v4 && ::inet_pton(AF_INET6, at.host.c_str(), &v6->sin6_addr) != 1)
        throw Error(ErrorKind::Usage, "cannot listen on " + at.host + ": it is no address");
    (is_v4 ? v4->sin_family : v6->sin6_family) = is_v4 ? AF_INET : AF_INET6;
    (is_v4 ? v4->sin_port : v6->sin6_port) = htons(at.port);
    TcpListener made{make_socket(is_v4 ? AF_INET : AF_INET6), 0};
    int on = 1;
    ::setsockopt(made.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = is_v4 ? sizeof *v4 : sizeof *v6;
    if (::bind(made.fd.get(), raw, size) != 0) throw io_error("bind " + at.text(), errno);
    if (::listen(made.fd.get(), 128) != 0) throw io_error("listen", errno);
    if (::getsockname(made.fd.get(), raw, &size) != 0) throw io_error("getsockname", errno);
    made.port = ntohs(is_v4 ? v4->sin_port : v6->sin6_port);
    return made;
}

UniqueFd accept_one(int listener, const Cancel& cancel) {
    for (;;) {
        poll_one(listener, POLLIN, cancel);
        // Non-blocking for this one call: the connection may be gone again after poll said so.
        int flags = ::fcntl(listener, F_GETFL);
        if ((flags & O_NONBLOCK) == 0) ::fcntl(listener, F_SETFL, flags | O_NONBLOCK);
        UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (fd) {
            int on = 1;
            ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // no-op on Unix
            return fd;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!cancel.sleep_for(50ms)) cancel.check(); // let others close something
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
            throw io_error("accept", errno);
        }
    }
}

std::vector<SocketAddress> resolve_host(const std::string& host, std::uint16_t port,
                                        const Cancel& cancel) {
    cancel.check();
    // RFC 6761: this name is the loopback, whatever /etc/hosts or a name server says.
    if (host == "localhost") return resolve_host("127.0.0.1", port, cancel);
    auto lookup = std::make_shared<Lookup>();
    lookup->done = make_pipe();
    std::thread([lookup, host, port] { look_up(lookup, host, port); }).detach();
    poll_one(lookup->done.read_end.get(), POLLIN, cancel);
    std::lock_guard lock(lookup->mutex);
    if (lookup->status != 0)
        throw Error(ErrorKind::Io,
                    fmt::format("cannot resolve host {}: {}", host,
                                lookup->status == EAI_SYSTEM ? std::strerror(lookup->error_number)
                                                             : ::gai_strerror(lookup->status)));
    return std::move(lookup->found);
}

UniqueFd connect_first(const std::vector<SocketAddress>& addresses, const Cancel& cancel) {
    constexpr auto kPatience = 10s; // with one address while there are others left to try
    std::string tried;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        auto* raw = reinterpret_cast<const sockaddr*>(addresses[i].bytes.data());
        bool last = i + 1 == addresses.size();
        Cancel limited = last ? cancel : cancel.child(Cause::Deadline, kPatience, "connect");
        int number = ETIMEDOUT;
        try {
            UniqueFd fd = make_socket(raw->sa_family, SOCK_NONBLOCK);
            number = connect_nonblocking(
                fd.get(), raw, static_cast<socklen_t>(addresses[i].bytes.size()), limited);
            if (number == 0) {
                set_blocking(fd.get());
                int on = 1;
                ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                return fd;
            }
        } catch (const Interrupted&) {
            cancel.check();
        }
        tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", addresses[i].text,
                             std::strerror(number));
    }
    throw Error(ErrorKind::Io, "cannot connect to " + tried);
}

UniqueFd connect_tcp(const std::string& host, std::uint16_t port, const Cancel& cancel) {
    return connect_first(resolve_host(host, port, cancel), cancel);
}

} // namespace assay
