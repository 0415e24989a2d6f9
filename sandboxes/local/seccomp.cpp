#include "local/seccomp.h"

#include "assay/base/error.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

namespace assay::local {
namespace {

// The kernel itself, and objects that are not in any namespace.
constexpr const char* kDenied[] = {"kexec_load",
                                   "kexec_file_load",
                                   "init_module",
                                   "finit_module",
                                   "delete_module",
                                   "bpf",
                                   "perf_event_open",
                                   "userfaultfd",
                                   "add_key",
                                   "request_key",
                                   "keyctl",
                                   "mount",
                                   "umount",
                                   "umount2",
                                   "pivot_root",
                                   "move_mount",
                                   "open_tree",
                                   "fsopen",
                                   "fsconfig",
                                   "fsmount",
                                   "fspick",
                                   "mount_setattr",
                                   "open_by_handle_at",
                                   "name_to_handle_at",
                                   "setns",
                                   "unshare",
                                   "swapon",
                                   "swapoff",
                                   "reboot",
                                   "syslog",
                                   "acct",
                                   "quotactl",
                                   "quotactl_fd",
                                   "settimeofday",
                                   "clock_settime",
                                   "clock_adjtime",
                                   "adjtimex",
                                   "stime",
                                   "nfsservctl",
                                   "lookup_dcookie",
                                   "iopl",
                                   "ioperm",
                                   "vhangup",
                                   "fanotify_init",
                                   "vm86",
                                   "vm86old",
                                   "uselib",
                                   "ustat",
                                   "sysfs",
                                   "_sysctl",
                                   "create_module",
                                   "get_kernel_syms",
                                   "query_module",
                                   "kcmp",
                                   "move_pages",
                                   "migrate_pages",
                                   "process_madvise"};

constexpr std::uint64_t kNewNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                         CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

class Filter {
  public:
    Filter()
        : context_(seccomp_init(SCMP_ACT_ALLOW)) {
        if (!context_) throw Error(ErrorKind::Sandbox, "seccomp_init failed");
    }

    void deny(const char* name, int error, std::initializer_list<scmp_arg_cmp> arguments = {}) {
        int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) return; // unknown to this libseccomp, so to its kernels
        int failed =
            seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(error), number,
                                   static_cast<unsigned>(arguments.size()), arguments.begin());
        // A call that this architecture does not have cannot be filtered, nor made.
        if (failed != 0 && failed != -EDOM && failed != -EFAULT)
            throw io_error(std::string("seccomp rule for ") + name, -failed);
    }

    scmp_filter_ctx get() { return context_.get(); }

  private:
    struct Release {
        void operator()(void* context) const { seccomp_release(context); }
    };
    std::unique_ptr<void, Release> context_;
};

// The kernel looks at the low 32 bits of these arguments only, so the filter must do the same:
// SCMP_CMP_EQ would let the call pass with a bit set above them.
scmp_arg_cmp low_half(unsigned argument, std::uint32_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value};
}

void add_rules(Filter& filter) {
#if defined(__x86_64__)
    // 32-bit programs too: a filter for one architecture only would kill them, or be a way around.
    seccomp_arch_add(filter.get(), SCMP_ARCH_X86);
    seccomp_arch_add(filter.get(), SCMP_ARCH_X32);
#endif
    for (const char* name : kDenied) filter.deny(name, EPERM);
    for (const char* name : {"io_uring_setup", "io_uring_enter", "io_uring_register"})
        filter.deny(name, ENOSYS); // programs fall back to epoll
    // clone3 passes its flags in memory, which no filter can see: ENOSYS makes libc use clone.
    filter.deny("clone3", ENOSYS);
    for (std::uint64_t flag = 1; flag != 0; flag <<= 1)
        if ((kNewNamespaces & flag) != 0)
            filter.deny("clone", EPERM, {{0, SCMP_CMP_MASKED_EQ, flag, flag}});
    // Typing into another process's terminal.
    filter.deny("ioctl", EPERM, {low_half(1, TIOCSTI)});
    filter.deny("ioctl", EPERM, {low_half(1, TIOCLINUX)});
    // vsock reaches the hypervisor's host past every network namespace.
    filter.deny("socket", EPERM, {low_half(0, AF_VSOCK)});
    filter.deny("socket", EPERM, {low_half(0, AF_ALG)});
}

} // namespace

UniqueFd make_seccomp_filter(bool guard) {
    Filter filter;
    if (guard) add_rules(filter);
    UniqueFd fd(::memfd_create("assay-seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) throw io_error("memfd_create", errno);
    if (int failed = seccomp_export_bpf(filter.get(), fd.get()); failed != 0)
        throw io_error("export the seccomp filter", -failed);
    ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    return fd;
}

} // namespace assay::local
