// The loop order that a compiler vectorises well: what the answer is measured against.
#include "kernel_task.h"

extern "C" int32_t solve(const kt_tensor* in, int32_t, kt_tensor* out, int32_t, const kt_params*,
                         void*) {
    const auto* __restrict a = static_cast<const float*>(in[0].data);
    const auto* __restrict b = static_cast<const float*>(in[1].data);
    auto* __restrict c = static_cast<float*>(out[0].data);
    int64_t m = in[0].shape[0], k = in[0].shape[1], n = in[1].shape[1];
    for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) c[i * n + j] = 0;
        for (int64_t p = 0; p < k; ++p) {
            float x = a[i * k + p];
            for (int64_t j = 0; j < n; ++j) c[i * n + j] += x * b[p * n + j];
        }
    }
    return 0;
}
