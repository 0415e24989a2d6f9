// A deny list in classic BPF. Denied calls give EPERM (clone3: ENOSYS, so that the C library falls
// back to clone, whose flags can be looked at).
#include "child.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace kt_runner {

namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the runner knows the system call numbers of x86-64 and aarch64 only"
#endif

// Other processes, the network, privileges, measuring, other kernels' doors.
constexpr int kNever[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_perf_event_open,
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_execve,
    SYS_execveat,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_io_uring_setup,
    SYS_userfaultfd,
    SYS_bpf,
    SYS_mount,
    SYS_umount2,
    SYS_unshare,
    SYS_setns,
    SYS_pivot_root,
    SYS_chroot,
    SYS_memfd_create,
    SYS_kcmp,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_shmget,
    SYS_shmat,
    SYS_msgget,
    SYS_semget,
    SYS_mq_open,
    SYS_sched_setscheduler,
    SYS_sched_setattr,
    SYS_setpriority,
    SYS_prlimit64,
    SYS_personality,
    SYS_init_module,
    SYS_finit_module,
    434 /* pidfd_open */,
    424 /* pidfd_send_signal */,
    438 /* pidfd_getfd */,
    428 /* open_tree */,
    429 /* move_mount */,
    442 /* mount_setattr */,
    448 /* process_mrelease */,
    440 /* process_madvise */,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
#endif
};

// Files, once the library is loaded.
constexpr int kNotOnceLoaded[] = {
    SYS_openat,        437 /* openat2 */, SYS_mkdirat,  SYS_unlinkat,       SYS_symlinkat,
    SYS_linkat,        SYS_renameat2,     SYS_mknodat,  SYS_truncate,       SYS_open_by_handle_at,
    SYS_inotify_init1, SYS_pipe2,         SYS_eventfd2, SYS_timerfd_create, SYS_signalfd4,
#if defined(__x86_64__)
    SYS_open,          SYS_creat,         SYS_mkdir,    SYS_unlink,         SYS_symlink,
    SYS_link,          SYS_rename,        SYS_mknod,    SYS_pipe,
#endif
};

struct Program {
    sock_filter code[256];
    unsigned short size = 0;
    void add(unsigned short op, unsigned k, unsigned char yes = 0, unsigned char no = 0) {
        code[size++] = sock_filter{op, yes, no, k};
    }
    void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)); }
    void answer(unsigned value) { add(BPF_RET | BPF_K, value); }
    // The loaded word equals k: answer; else go on.
    void if_equal(unsigned k, unsigned value) {
        add(BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
        answer(value);
    }
};

constexpr unsigned kDenied = SECCOMP_RET_ERRNO | EPERM;

} // namespace

bool install_filter(bool loaded, bool threads) {
    Program p;
    p.load(offsetof(seccomp_data, arch));
    p.add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
    p.answer(SECCOMP_RET_KILL_PROCESS);
    p.load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
    p.add(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1); // the x32 numbers
    p.answer(SECCOMP_RET_KILL_PROCESS);
#endif
    for (int number : kNever) p.if_equal(static_cast<unsigned>(number), kDenied);
    if (loaded)
        for (int number : kNotOnceLoaded) p.if_equal(static_cast<unsigned>(number), kDenied);
    p.if_equal(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    if (!threads) {
        p.if_equal(SYS_clone, kDenied);
    } else { // only threads of this process
        p.add(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
        p.load(offsetof(seccomp_data, args[0]));
        p.add(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0);
        p.answer(kDenied);
    }
    p.add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
    p.answer(SECCOMP_RET_ALLOW);
    sock_fprog program = {p.size, p.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace kt_runner
