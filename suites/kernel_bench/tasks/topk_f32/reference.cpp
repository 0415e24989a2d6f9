// A full sort in the total order of the task.
#include "kernel_task.h"

#include <algorithm>
#include <numeric>
#include <vector>

extern "C" int32_t reference(const kt_tensor* in, int32_t, kt_tensor* out, int32_t,
                             const kt_params*, void*) {
    int64_t rows = in[0].shape[0], columns = in[0].shape[1], k = out[0].shape[1];
    std::vector<int64_t> order(static_cast<std::size_t>(columns));
    std::vector<float> s(static_cast<std::size_t>(columns));
    for (int64_t r = 0; r < rows; ++r) {
        const float* x = static_cast<const float*>(in[0].data) + r * columns;
        const float* step = static_cast<const float*>(in[1].data) + r * columns;
        for (int64_t c = 0; c < columns; ++c) s[static_cast<std::size_t>(c)] = x[c] + step[c];
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
            float p = s[static_cast<std::size_t>(a)], q = s[static_cast<std::size_t>(b)];
            return p != q ? p > q : a < b;
        });
        for (int64_t i = 0; i < k; ++i) {
            int64_t c = order[static_cast<std::size_t>(i)];
            static_cast<double*>(out[0].data)[r * k + i] = s[static_cast<std::size_t>(c)];
            static_cast<int64_t*>(out[1].data)[r * k + i] = c;
        }
    }
    return 0;
}
