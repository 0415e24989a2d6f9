// The default seccomp filter of a sandbox.
#pragma once

#include "assay/base/fd.h"

namespace assay::local {

// A deny-list in the spirit of Docker's default profile: what reaches the kernel beyond its
// namespaces, and what widens the attack surface, fails with EPERM (ENOSYS where a program has a
// fallback). Returned as a BPF program in a sealed memfd.
// Without `guard` it allows everything: for tests.
UniqueFd make_seccomp_filter(bool guard);

} // namespace assay::local
