// Unix and TCP sockets: listening, accepting and connecting with cancellation, and messages with
// descriptors. Every descriptor is close-on-exec.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fd.h"
#include "assay/base/fs.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Paths of any length work. A leftover socket file at `path` is replaced.
UniqueFd listen_unix(const Path& path, unsigned mode = 0600);
UniqueFd connect_unix(const Path& path, const Cancel& cancel);

struct TcpListener {
    UniqueFd fd;
    std::uint16_t port = 0;
};
TcpListener listen_loopback(std::uint16_t port = 0); // 127.0.0.1; 0: any free port

struct ListenAddress {
    std::string host; // a numeric address, without the brackets of IPv6
    std::uint16_t port = 0;
    bool loopback = false;    // reachable from this machine only
    std::string text() const; // "127.0.0.1:80", "[::1]:80"
};
// "127.0.0.1:8000", "[::1]:8000", "localhost:8000". Throws Error(Usage).
ListenAddress parse_listen_address(std::string_view text);
TcpListener listen_tcp(const ListenAddress& address);

UniqueFd accept_one(int listener, const Cancel& cancel);

struct SocketAddress {
    std::string bytes; // a sockaddr
    std::string text;  // "127.0.0.1:80", "[::1]:80"
};
// Host name or address. The lookup runs on a thread of its own, so a cancel ends the wait even
// where the resolver hangs. Throws Error(Io) if there is no such host.
std::vector<SocketAddress> resolve_host(const std::string& host, std::uint16_t port,
                                        const Cancel& cancel);
// The first address that answers; TCP_NODELAY is set. Throws Error(Io) with the last cause.
UniqueFd connect_first(const std::vector<SocketAddress>& addresses, const Cancel& cancel);
UniqueFd connect_tcp(const std::string& host, std::uint16_t port, const Cancel& cancel);

// Messages over a Unix stream socket: 4 bytes of length (little endian), then the data; descriptors
// ride on the first byte. One sender and one receiver at a time.
struct SocketMessage {
    std::string data;
    std::vector<UniqueFd> fds;
};
inline constexpr std::size_t kMaxMessageFds = 16;
void send_message(int socket, std::string_view data, std::span<const int> fds,
                  const Cancel& cancel);
// nullopt: end of file between messages. A message that is cut off, is over `limit` bytes or
// carries too many descriptors is an Error(Io).
std::optional<SocketMessage> receive_message(int socket, std::size_t limit, const Cancel& cancel);

} // namespace assay
