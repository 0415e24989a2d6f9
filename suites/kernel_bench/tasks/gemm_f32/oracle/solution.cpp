// Blocked: b is packed in panels of 16 columns, and a kernel of 6 rows by 16 columns keeps its
// twelve sums in registers over the whole of k.
#include "kernel_task.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

constexpr int kRows = 6, kColumns = 16;

// c[rows][16] = a[rows][k] * panel[k][16]
template<int rows>
void block(const float* a, int64_t lda, const float* panel, int64_t k, float* c, int64_t ldc,
           int64_t columns) {
    __m256 sums[rows][2];
    for (int r = 0; r < rows; ++r) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (int64_t p = 0; p < k; ++p) {
        __m256 b0 = _mm256_loadu_ps(panel + p * kColumns);
        __m256 b1 = _mm256_loadu_ps(panel + p * kColumns + 8);
        for (int r = 0; r < rows; ++r) {
            __m256 x = _mm256_broadcast_ss(a + r * lda + p);
            sums[r][0] = _mm256_fmadd_ps(x, b0, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(x, b1, sums[r][1]);
        }
    }
    for (int r = 0; r < rows; ++r) {
        float* to = c + r * ldc;
        if (columns == kColumns) {
            _mm256_storeu_ps(to, sums[r][0]);
            _mm256_storeu_ps(to + 8, sums[r][1]);
        } else {
            float line[kColumns];
            _mm256_storeu_ps(line, sums[r][0]);
            _mm256_storeu_ps(line + 8, sums[r][1]);
            std::memcpy(to, line, static_cast<std::size_t>(columns) * sizeof(float));
        }
    }
}

using Block = void (*)(const float*, int64_t, const float*, int64_t, float*, int64_t, int64_t);
constexpr Block kBlocks[kRows + 1] = {nullptr,  block<1>, block<2>, block<3>,
                                      block<4>, block<5>, block<6>};

} // namespace

extern "C" int32_t solve(const kt_tensor* in, int32_t, kt_tensor* out, int32_t, const kt_params*,
                         void*) {
    const auto* a = static_cast<const float*>(in[0].data);
    const auto* b = static_cast<const float*>(in[1].data);
    auto* c = static_cast<float*>(out[0].data);
    int64_t m = in[0].shape[0], k = in[0].shape[1], n = in[1].shape[1];
    static std::vector<float> panel; // memory only: nothing is kept from call to call
    panel.resize(static_cast<std::size_t>(k * kColumns));
    for (int64_t j = 0; j < n; j += kColumns) {
        int64_t columns = std::min<int64_t>(kColumns, n - j);
        for (int64_t p = 0; p < k; ++p) {
            float* to = panel.data() + p * kColumns;
            std::memcpy(to, b + p * n + j, static_cast<std::size_t>(columns) * sizeof(float));
            std::fill(to + columns, to + kColumns, 0.0f);
        }
        for (int64_t i = 0; i < m; i += kRows) {
            int64_t rows = std::min<int64_t>(kRows, m - i);
            kBlocks[rows](a + i * k, k, panel.data(), k, c + i * n + j, n, columns);
        }
    }
    return 0;
}
