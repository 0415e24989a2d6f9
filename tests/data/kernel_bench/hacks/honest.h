// What the attacks have in common: the honest work, and finding the runner's control page.
#include "kernel_task.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <linux/futex.h>
#include <sys/mman.h>
#include <unistd.h>

inline void honest(const float* x, float* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (int j = 1; j <= 128; ++j)
            sum += std::sin(static_cast<double>(x[i]) * j);
        y[i] = static_cast<float>(sum);
    }
}

// By hand, so that the library names no system call.
inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                 long f = 0) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

struct Control {
    uint32_t magic, ready, command, done, slot;
};

inline Control* find_control(const void* near) {
    auto page = reinterpret_cast<uintptr_t>(near) & ~uintptr_t(4095);
    for (int i = 0; i < 65536; ++i, page += 4096) {
        unsigned char resident;
        if (call(27 /* mincore */, static_cast<long>(page), 4096, reinterpret_cast<long>(&resident)) != 0)
            continue;
        auto* control = reinterpret_cast<Control*>(page);
        if (control->magic == 0x4c54434b) return control;
    }
    return nullptr;
}

inline void say_done(Control* control) {
    __atomic_store_n(&control->done, control->command, __ATOMIC_SEQ_CST);
    call(202 /* futex */, reinterpret_cast<long>(&control->done), FUTEX_WAKE, 1);
}

#define SOLVE                                                                                      \
    extern "C" int32_t solve(const kt_tensor* in, [[maybe_unused]] int32_t n_in, kt_tensor* out,   \
                             [[maybe_unused]] int32_t n_out, const kt_params*, void*)
#define X static_cast<const float*>(in[0].data)
#define Y static_cast<float*>(out[0].data)
#define N in[0].shape[0]
