// Bridge and veth by rtnetlink: no program of the host is needed for a private network.
#include "launch/launch.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace assay::launch {
namespace {

class Request {
  public:
    Request(std::uint16_t type, std::uint16_t flags) {
        header()->nlmsg_type = type;
        header()->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
        header()->nlmsg_len = NLMSG_LENGTH(0);
    }

    template<class T>
    void body(const T& value) {
        append(&value, sizeof value);
    }
    void attribute(std::uint16_t type, const void* data, std::size_t size) {
        std::size_t at = header()->nlmsg_len;
        begin(type);
        append(data, size);
        end(at);
    }
    void text(std::uint16_t type, const char* value) {
        attribute(type, value, std::strlen(value) + 1);
    }
    void number(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof value); }
    std::size_t begin(std::uint16_t type) {
        std::size_t at = header()->nlmsg_len;
        rtattr attribute{RTA_LENGTH(0), type};
        append(&attribute, sizeof attribute);
        return at;
    }
    void end(std::size_t at) {
        auto* attribute = reinterpret_cast<rtattr*>(buffer_ + at);
        attribute->rta_len = static_cast<std::uint16_t>(header()->nlmsg_len - at);
        header()->nlmsg_len = NLMSG_ALIGN(header()->nlmsg_len);
    }

    int send() {
        int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (fd < 0) return errno;
        int error = ::send(fd, buffer_, header()->nlmsg_len, 0) < 0 ? errno : 0;
        alignas(nlmsghdr) char answer[4096];
        ssize_t n = error == 0 ? ::recv(fd, answer, sizeof answer, 0) : 0;
        ::close(fd);
        if (error != 0) return error;
        auto* reply = reinterpret_cast<nlmsghdr*>(answer);
        if (n < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr))) ||
            reply->nlmsg_type != NLMSG_ERROR)
            return EPROTO;
        return -static_cast<nlmsgerr*>(NLMSG_DATA(reply))->error;
    }

  private:
    nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_); }
    void append(const void* data, std::size_t size) {
        if (header()->nlmsg_len + size > sizeof buffer_) return; // all requests are small
        std::memcpy(buffer_ + header()->nlmsg_len, data, size);
        header()->nlmsg_len = static_cast<std::uint32_t>(NLMSG_ALIGN(header()->nlmsg_len + size));
    }

    alignas(nlmsghdr) char buffer_[1024] = {};
};

int set_up(const char* name) {
    Request request(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(::if_nametoindex(name));
    info.ifi_flags = info.ifi_change = IFF_UP;
    request.body(info);
    return request.send();
}

int add_address(const char* name, std::uint32_t address) {
    Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    ifaddrmsg info{};
    info.ifa_family = AF_INET;
    info.ifa_prefixlen = 16;
    info.ifa_index = ::if_nametoindex(name);
    request.body(info);
    std::uint32_t wire = htonl(address);
    request.attribute(IFA_LOCAL, &wire, sizeof wire);
    request.attribute(IFA_ADDRESS, &wire, sizeof wire);
    return request.send();
}

} // namespace

int make_bridge() {
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.body(ifinfomsg{});
    request.text(IFLA_IFNAME, "hub");
    std::size_t info = request.begin(IFLA_LINKINFO);
    request.text(IFLA_INFO_KIND, "bridge");
    request.end(info);
    if (int error = request.send()) return error;
    return set_up("hub");
}

int link_to_bridge(std::uint32_t number, std::uint32_t address, int net_ns) {
    std::string here = "v" + std::to_string(number);
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.body(ifinfomsg{});
    request.text(IFLA_IFNAME, here.c_str());
    request.number(IFLA_MASTER, ::if_nametoindex("hub"));
    std::size_t info = request.begin(IFLA_LINKINFO);
    request.text(IFLA_INFO_KIND, "veth");
    std::size_t data = request.begin(IFLA_INFO_DATA);
    std::size_t peer = request.begin(VETH_INFO_PEER);
    request.body(ifinfomsg{});
    request.text(IFLA_IFNAME, "eth0");
    request.number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(net_ns));
    request.end(peer);
    request.end(data);
    request.end(info);
    if (int error = request.send()) return error;
    if (int error = set_up(here.c_str())) return error;
    if (::setns(net_ns, CLONE_NEWNET) != 0) return errno;
    if (int error = add_address("eth0", address)) return error;
    return set_up("eth0");
}

} // namespace assay::launch
