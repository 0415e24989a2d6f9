// In double.
#include "kernel_task.h"

#include <algorithm>
#include <cmath>

extern "C" int32_t reference(const kt_tensor* in, int32_t, kt_tensor* out, int32_t,
                             const kt_params*, void*) {
    int64_t rows = in[0].shape[0], columns = in[0].shape[1];
    for (int64_t r = 0; r < rows; ++r) {
        const float* x = static_cast<const float*>(in[0].data) + r * columns;
        double* y = static_cast<double*>(out[0].data) + r * columns;
        double most = *std::max_element(x, x + columns), sum = 0;
        for (int64_t c = 0; c < columns; ++c) sum += y[c] = std::exp(x[c] - most);
        for (int64_t c = 0; c < columns; ++c) y[c] /= sum;
    }
    return 0;
}
