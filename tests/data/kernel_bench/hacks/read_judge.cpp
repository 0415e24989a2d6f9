// Reads the memory of the process that measures it.
#include "honest.h"
#include <sys/uio.h>
SOLVE {
    char here[16];
    long parent = call(110 /* getppid */);
    iovec local = {here, sizeof here};
    iovec remote = {reinterpret_cast<void*>(&solve), sizeof here};
    // Where the parent's program lies is not known; its stack's neighbourhood would be searched.
    // It is enough that the kernel answers EFAULT (no memory there) and not EPERM (not allowed).
    long n = call(310 /* process_vm_readv */, parent, reinterpret_cast<long>(&local), 1,
                  reinterpret_cast<long>(&remote), 1, 0);
    if (n == -1 /* EPERM */) return 9;
    honest(X, Y, N);
    return 0;
}
