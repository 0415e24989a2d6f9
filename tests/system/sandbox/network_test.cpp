#include "catch.h"
#include "host_service.h"
#include "skip.h"
#include "support.h"

#include <unistd.h>

namespace assay::test {

namespace {

bool has_route() {
    return std::system("ip route show default 2>/dev/null | grep -q default") == 0;
}

} // namespace

TEST_CASE("a public network comes and goes while the sandbox runs") {
    auto modes = backend().capabilities().network;
    if (std::find(modes.begin(), modes.end(), NetworkMode::Public) == modes.end() || !has_route() ||
        ::access("/dev/net/tun", R_OK | W_OK) != 0) {
        skip("no pasta, no network on this machine, or no access to /dev/net/tun");
        return;
    }
    HostService service;
    auto environment = host_environment();
    Sandbox& box = environment->main();
    const std::string interfaces = "grep -c : /proc/net/dev";
    CHECK(sh(box, interfaces).out == "1\n");
    NetworkPolicy open;
    open.mode = NetworkMode::Public;
    box.set_network(open, Cancel());
    CHECK(sh(box, interfaces).out == "2\n");
    CHECK_THAT(sh(box, "cat /etc/resolv.conf").out, Catch::Contains("nameserver"));
    CHECK_FALSE(
        sh(box, "timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + service.port + "'").ok());
    std::string gateway = sh(box, "ip route show default 2>/dev/null | awk '{print $3}'").out;
    gateway = gateway.substr(0, gateway.find('\n'));
    if (!gateway.empty())
        CHECK_FALSE(
            sh(box, "timeout 3 bash -c 'exec 3<>/dev/tcp/" + gateway + "/" + service.port + "'")
                .ok());
    box.set_network({}, Cancel());
    CHECK(sh(box, interfaces).out == "1\n");
    CHECK(sh(box, "cat /etc/resolv.conf").out.empty());
}

TEST_CASE("an allow-list is refused by name") {
    SandboxSpec spec;
    spec.network.mode = NetworkMode::AllowList;
    CHECK_THROWS_WITH(host_environment(spec), Catch::Contains("allow-list"));
}

} // namespace assay::test
