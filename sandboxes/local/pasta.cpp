#include "local/pasta.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

namespace assay::local {

namespace {
// Link-local, so that it can hide no host: pasta answers there with the machine's own resolver.
constexpr const char* kResolver = "169.254.1.53";
constexpr auto kStartLimit = std::chrono::seconds(10);
} // namespace

std::string pasta_resolv_conf() {
    return std::string("nameserver ") + kResolver + "\n";
}

std::string why_no_public_network() {
    if (find_program("pasta").empty())
        return "a public network needs pasta, which is not installed (package passt)";
    if (::access("/dev/net/tun", R_OK | W_OK) != 0)
        return "a public network needs access to /dev/net/tun";
    return {};
}

Pasta::Pasta(Janitor& janitor, int init_pid, const Path& folder, const Cancel& cancel) {
    Path pid_file = folder / "pasta.pid", log = folder / "pasta.log";
    ::unlink(pid_file.c_str());
    ::chmod(folder.c_str(), 0711);
    UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!output) throw io_error("open " + log.string(), errno);
    std::string process = "/proc/" + std::to_string(init_pid);
    // No port is forwarded in either direction, and the gateway is not mapped to our loopback.
    std::vector<std::string> argv = {find_program("pasta").string(),
                                     "--foreground",
                                     "--quiet",
                                     "--config-net",
                                     "--no-map-gw",
                                     "-t",
                                     "none",
                                     "-u",
                                     "none",
                                     "-T",
                                     "none",
                                     "-U",
                                     "none",
                                     "--dns-forward",
                                     kResolver,
                                     "--pid",
                                     pid_file.string(),
                                     "--userns",
                                     process + "/ns/user",
                                     "--netns",
                                     process + "/ns/net"};
    if (::geteuid() == 0) argv.insert(argv.begin() + 1, {"--runas", "0"});
    janitor.run_helper(argv, {output.get()});
    RealFileSystem files;
    Cancel limit = cancel.child(Cause::Aborted, kStartLimit, "starting pasta");
    for (;;) {
        std::string text;
        if (files.exists(pid_file)) text = files.read(pid_file, 64);
        int pid = std::atoi(text.c_str());
        if (pid > 1 && text.find('\n') != std::string::npos) {
            process_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
            if (process_) return;
        }
        if (limit.sleep_for(std::chrono::milliseconds(3))) continue;
        cancel.check();
        throw Error(ErrorKind::Sandbox, "pasta did not bring the network up: " +
                                            std::string(trim(files.read(log, 1 << 16))));
    }
}

Pasta::~Pasta() {
    ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
    pollfd fd{process_.get(), POLLIN, 0};
    ::poll(&fd, 1, 2000);
}

} // namespace assay::local
