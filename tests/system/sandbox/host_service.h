// A TCP service of the machine, on all of its addresses: what the inside must not reach.
#pragma once

#include "assay/base/fd.h"
#include "catch.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

namespace assay::test {

struct HostService {
    UniqueFd listener;
    std::string port;
    HostService()
        : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_ANY);
        socklen_t size = sizeof at;
        REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
        REQUIRE(::listen(listener.get(), 16) == 0);
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size);
        port = std::to_string(ntohs(at.sin_port));
    }
    // How many have connected since the last call.
    int visitors() const {
        int count = 0;
        while (UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))) ++count;
        return count;
    }
};

// The machine's IPv4 addresses, the loopback's among them.
inline std::vector<std::string> machine_addresses() {
    std::vector<std::string> out;
    ifaddrs* list = nullptr;
    REQUIRE(::getifaddrs(&list) == 0);
    for (ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
        char text[INET_ADDRSTRLEN] = "";
        ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr, text,
                    sizeof text);
        out.emplace_back(text);
    }
    ::freeifaddrs(list);
    return out;
}

} // namespace assay::test
