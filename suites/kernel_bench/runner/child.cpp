#include "child.h"

#include "kernel_task.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kt_runner {

using kt_wire::Control;

int futex_wait(std::uint32_t* word, std::uint32_t value, int milliseconds) {
    timespec limit = {milliseconds / 1000, (milliseconds % 1000) * 1'000'000L};
    return static_cast<int>(syscall(SYS_futex, word, FUTEX_WAIT, value,
                                    milliseconds < 0 ? nullptr : &limit, nullptr, 0));
}

void futex_wake(std::uint32_t* word) {
    syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

namespace {

using Solve = std::int32_t (*)(const kt_tensor*, std::int32_t, kt_tensor*, std::int32_t,
                               const kt_params*, void*);

[[noreturn]] void refuse(Control* control, const char* text) {
    std::snprintf(control->text, sizeof control->text, "%s", text);
    __atomic_store_n(&control->ready, 2u, __ATOMIC_SEQ_CST);
    futex_wake(&control->ready);
    _exit(3);
}

void limit(int resource, std::uint64_t value) {
    rlimit both = {value, value};
    setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

// The answer can neither trace the runner nor read its memory: another user where there is one, no
// capability, and the runner is not dumpable.
void drop_privileges() {
    for (int capability = 0; capability < 64; ++capability)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (geteuid() == 0) {
        // Where the sandbox has a single user this fails, and the other guards stand alone.
        [[maybe_unused]] int group = setresgid(65534, 65534, 65534);
        [[maybe_unused]] int user = setresuid(65534, 65534, 65534);
    }
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    syscall(SYS_capset, &header, none);
}

void set_limits(const kt_wire::HelloBody& hello, const Arena& arena) {
    limit(RLIMIT_AS, arena.input_bytes + arena.output_bytes + hello.memory_bytes);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, 16);
}

void* map(int fd, std::uint64_t bytes, int protection) {
    // Populated, so that no call pays for page faults in the tensors.
    void* at = mmap(nullptr, bytes, protection, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) _exit(4);
    return at;
}

struct Views { // what solve is given
    kt_tensor in[kt_wire::kMaxTensors], out[kt_wire::kMaxTensors];
    const char* names[kt_wire::kMaxAxes];
    std::int64_t values[kt_wire::kMaxAxes];
};

void view(kt_tensor& to, const kt_wire::TensorBody& from, char* slot) {
    to.data = slot + from.offset;
    to.dtype = from.dtype;
    to.rank = from.rank;
    std::memcpy(to.shape, from.shape, sizeof to.shape);
    std::memcpy(to.strides, from.strides, sizeof to.strides);
}

void serve(const kt_wire::HelloBody& hello, Control* control, Solve solve, char* inputs,
           char* outputs) {
    std::uint32_t last = 0;
    static Views views;
    static kt_wire::CaseBody current;
    for (;;) {
        std::uint32_t number = __atomic_load_n(&control->command, __ATOMIC_SEQ_CST);
        if (number == last) {
            futex_wait(&control->command, last, -1);
            continue;
        }
        last = number;
        current = control->current;
        char* in_slot = inputs + control->slot * hello.input_bytes;
        char* out_slot = outputs + control->slot * hello.output_bytes;
        for (std::uint32_t i = 0; i < current.n_in; ++i) view(views.in[i], current.in[i], in_slot);
        for (std::uint32_t i = 0; i < current.n_out; ++i)
            view(views.out[i], current.out[i], out_slot);
        for (std::uint32_t i = 0; i < current.n_axes; ++i) {
            views.names[i] = current.axes[i].name;
            views.values[i] = current.axes[i].value;
        }
        kt_params params = {static_cast<std::int32_t>(current.n_axes),
                            static_cast<std::int32_t>(hello.threads), views.names, views.values};
        control->result = solve(views.in, static_cast<std::int32_t>(current.n_in), views.out,
                                static_cast<std::int32_t>(current.n_out), &params, nullptr);
        __atomic_store_n(&control->done, number, __ATOMIC_SEQ_CST);
        futex_wake(&control->done);
    }
}

void only_standard_descriptors_to_null() {
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; ++fd)
        if (null >= 0)
            dup2(null, fd);
        else
            close(fd);
    if (syscall(436 /* close_range */, 3u, ~0u, 0u) != 0)
        for (int fd = 3; fd < 1024; ++fd) close(fd);
}

} // namespace

void child_main(const kt_wire::HelloBody& hello, const Arena& arena) {
    prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);
    auto* control =
        static_cast<Control*>(map(arena.control_fd, sizeof(Control), PROT_READ | PROT_WRITE));
    bool writable = (hello.unguarded & kt_wire::WritableInputs) != 0;
    auto* inputs = static_cast<char*>(
        map(arena.input_fd, arena.input_bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ));
    auto* outputs =
        static_cast<char*>(map(arena.output_fd, arena.output_bytes, PROT_READ | PROT_WRITE));
    only_standard_descriptors_to_null();
    bool filtered = (hello.unguarded & kt_wire::NoFilter) == 0;
    set_limits(hello, arena);
    if (filtered) {
        drop_privileges();
        if (!install_filter(false, hello.threads > 1)) refuse(control, "no system call filter");
    }
    void* library = dlopen(hello.library, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) refuse(control, dlerror());
    auto solve = reinterpret_cast<Solve>(dlsym(library, hello.entry));
    if (solve == nullptr) refuse(control, "the library has no such entry");
    if (filtered && !install_filter(true, hello.threads > 1))
        refuse(control, "no system call filter");
    __atomic_store_n(&control->ready, 1u, __ATOMIC_SEQ_CST);
    futex_wake(&control->ready);
    serve(hello, control, solve, inputs, outputs);
    _exit(0);
}

} // namespace kt_runner
