// In double, summed in ascending order.
#include "kernel_task.h"

#include <vector>

extern "C" int32_t reference(const kt_tensor* in, int32_t, kt_tensor* out, int32_t,
                             const kt_params*, void*) {
    const auto* a = static_cast<const float*>(in[0].data);
    const auto* b = static_cast<const float*>(in[1].data);
    auto* c = static_cast<double*>(out[0].data);
    int64_t m = in[0].shape[0], k = in[0].shape[1], n = in[1].shape[1];
    std::vector<double> row(static_cast<std::size_t>(n));
    for (int64_t i = 0; i < m; ++i) {
        row.assign(row.size(), 0.0);
        for (int64_t p = 0; p < k; ++p) {
            double x = a[i * k + p];
            for (int64_t j = 0; j < n; ++j) row[static_cast<std::size_t>(j)] += x * b[p * n + j];
        }
        for (int64_t j = 0; j < n; ++j) c[i * n + j] = row[static_cast<std::size_t>(j)];
    }
    return 0;
}
