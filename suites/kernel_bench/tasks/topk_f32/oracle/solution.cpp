// Keeps the best k in a sorted list and compares eight new values at a time with its last one; in
// a long row nearly all of them are rejected by that one comparison. Columns come in ascending
// order and an equal value never displaces, so ties fall to the lower index by themselves.
#include "kernel_task.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace {

struct Best { // descending; lives in the output memory
    float* values;
    int32_t* indices;
    int64_t count = 0, k;

    void offer(float value, int32_t index) {
        if (count == k && !(value > values[k - 1])) return;
        // The first place whose value is less: equal ones stay before.
        int64_t low = 0, high = count;
        while (low < high) {
            int64_t middle = (low + high) / 2;
            if (values[middle] < value)
                high = middle;
            else
                low = middle + 1;
        }
        auto moved = static_cast<std::size_t>(std::min(count, k - 1) - low);
        std::memmove(values + low + 1, values + low, moved * sizeof(float));
        std::memmove(indices + low + 1, indices + low, moved * sizeof(int32_t));
        values[low] = value;
        indices[low] = index;
        if (count < k) ++count;
    }
};

void row(const float* x, const float* step, int64_t columns, Best best) {
    int64_t c = 0;
    for (; c < columns && best.count < best.k; ++c)
        best.offer(x[c] + step[c], static_cast<int32_t>(c));
    for (; c + 8 <= columns; c += 8) {
        __m256 s = _mm256_add_ps(_mm256_loadu_ps(x + c), _mm256_loadu_ps(step + c));
        __m256 last = _mm256_set1_ps(best.values[best.k - 1]);
        int mask = _mm256_movemask_ps(_mm256_cmp_ps(s, last, _CMP_GT_OQ));
        if (mask == 0) continue;
        float lanes[8];
        _mm256_storeu_ps(lanes, s);
        for (; mask != 0; mask &= mask - 1) {
            int lane = __builtin_ctz(static_cast<unsigned>(mask));
            best.offer(lanes[lane], static_cast<int32_t>(c + lane));
        }
    }
    for (; c < columns; ++c) best.offer(x[c] + step[c], static_cast<int32_t>(c));
}

} // namespace

extern "C" int32_t solve(const kt_tensor* in, int32_t, kt_tensor* out, int32_t, const kt_params*,
                         void*) {
    int64_t rows = in[0].shape[0], columns = in[0].shape[1], k = out[0].shape[1];
    for (int64_t r = 0; r < rows; ++r)
        row(static_cast<const float*>(in[0].data) + r * columns,
            static_cast<const float*>(in[1].data) + r * columns, columns,
            {static_cast<float*>(out[0].data) + r * k, static_cast<int32_t*>(out[1].data) + r * k,
             0, k});
    return 0;
}
