// The same order of operations, 8 lanes to a register: 32 accumulators hold the 256 lanes.
#include "assay/kernels/rms_norm.h"

#include <cmath>

#if defined(__x86_64__)

#include <immintrin.h>

namespace assay::kernels {

namespace {

constexpr int kWidth = 8;
constexpr int kRegisters = kRmsLanes / kWidth;

__attribute__((target("avx2,fma"))) float sum_of_squares(const float* x, std::int64_t columns) {
    __m256 lanes[kRegisters];
    for (__m256& lane : lanes) lane = _mm256_setzero_ps();
    std::int64_t c = 0;
    for (; c + kRmsLanes <= columns; c += kRmsLanes) {
        for (int i = 0; i < kRegisters; ++i) {
            __m256 v = _mm256_loadu_ps(x + c + i * kWidth);
            lanes[i] = _mm256_fmadd_ps(v, v, lanes[i]);
        }
    }
    alignas(32) float flat[kRmsLanes];
    for (int i = 0; i < kRegisters; ++i) _mm256_store_ps(flat + i * kWidth, lanes[i]);
    for (int l = 0; c < columns; ++c, ++l) flat[l] = std::fma(x[c], x[c], flat[l]);
    for (int half = kRmsLanes / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) flat[l] += flat[l + half];
    return flat[0];
}

__attribute__((target("avx2,fma"))) void scale_row(const float* x, const float* weight, float* out,
                                                   std::int64_t columns, float scale) {
    __m256 s = _mm256_set1_ps(scale);
    std::int64_t c = 0;
    for (; c + kWidth <= columns; c += kWidth) {
        __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + c), s);
        _mm256_storeu_ps(out + c, _mm256_mul_ps(scaled, _mm256_loadu_ps(weight + c)));
    }
    for (; c < columns; ++c) out[c] = (x[c] * scale) * weight[c];
}

} // namespace

void rms_norm_avx2(const RmsNormArgs& args, void*) {
    for (std::int64_t r = 0; r < args.rows; ++r) {
        const float* x = args.x + r * args.columns;
        float mean = sum_of_squares(x, args.columns) / static_cast<float>(args.columns);
        float scale = 1.0f / std::sqrt(mean + args.epsilon);
        scale_row(x, args.weight, args.out + r * args.columns, args.columns, scale);
    }
}

bool rms_norm_avx2_available() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

} // namespace assay::kernels

#else

namespace assay::kernels {

void rms_norm_avx2(const RmsNormArgs& args, void* stream) {
    rms_norm_reference(args, stream);
}
bool rms_norm_avx2_available() {
    return false;
}

} // namespace assay::kernels

#endif
