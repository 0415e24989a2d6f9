// The same order of operations with the 16 lanes in one register: a tile of rows of x and rows of w
// keeps one accumulator for each of its outputs, so every value that is loaded serves several. Both
// sides are read along k, as they lie: a weight is neither copied nor packed.
#include "assay/kernels/linear.h"

#if defined(__x86_64__)

#include "avx512.h"

#include <algorithm>

namespace assay::kernels {

namespace {

constexpr std::int64_t kRowsOfX = 4, kRowsOfW = 6; // of a tile: 24 accumulators of 32 registers
constexpr std::int64_t kRowsForOne = 8;            // rows of w for a single row of x
constexpr std::int64_t kBlockOfX = 32;             // rows of x that stay in the second-level cache

template<WeightType type>
ASSAY_AVX512_INLINE __m512 load_weight(const void* w, std::int64_t at) {
    if constexpr (type == WeightType::F32)
        return _mm512_loadu_ps(static_cast<const float*>(w) + at);
    const auto* half = static_cast<const std::uint16_t*>(w) + at;
    return _mm512_castsi512_ps(_mm512_slli_epi32(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(half))), 16));
}

template<WeightType type>
ASSAY_AVX512_INLINE __m512 load_weight(const void* w, std::int64_t at, __mmask16 mask) {
    if constexpr (type == WeightType::F32)
        return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(w) + at);
    __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const std::uint16_t*>(w) + at);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

template<WeightType type, int M, int N>
ASSAY_AVX512 void tile(const LinearArgs& args, std::int64_t i, std::int64_t j) {
    __m512 sum[M][N];
    for (auto& row : sum)
        for (__m512& one : row) one = _mm512_setzero_ps();
    const float* x[M];
    for (int a = 0; a < M; ++a)
        x[a] = args.x + (args.rows == nullptr ? i + a : args.rows[i + a]) * args.x_stride;
    std::int64_t k = 0;
    for (; k + kLinearLanes <= args.k;
         k += kLinearLanes) { // nothing masked: see fold_block_tiles.h
        __m512 of_x[M];
        for (int a = 0; a < M; ++a) of_x[a] = _mm512_loadu_ps(x[a] + k);
        for (int b = 0; b < N; ++b) {
            __m512 of_w = load_weight<type>(args.w, (j + b) * args.k + k);
            for (int a = 0; a < M; ++a) sum[a][b] = _mm512_fmadd_ps(of_x[a], of_w, sum[a][b]);
        }
    }
    if (k < args.k) {
        const __mmask16 mask = first_lanes(args.k - k);
        for (int a = 0; a < M; ++a)
            for (int b = 0; b < N; ++b)
                sum[a][b] = _mm512_mask3_fmadd_ps(
                    _mm512_maskz_loadu_ps(mask, x[a] + k),
                    load_weight<type>(args.w, (j + b) * args.k + k, mask), sum[a][b], mask);
    }
    for (int a = 0; a < M; ++a)
        for (int b = 0; b < N; ++b)
            args.y[(i + a) * args.y_stride + j + b] = fold_halves(sum[a][b]);
}

template<WeightType type, int M>
ASSAY_AVX512 void rows(const LinearArgs& args, std::int64_t i, std::int64_t j, std::int64_t n) {
    constexpr int kWide = M == 1 ? kRowsForOne : kRowsOfW;
    if (n == kWide) return tile<type, M, kWide>(args, i, j);
    for (std::int64_t b = 0; b < n; ++b) tile<type, M, 1>(args, i, j + b);
}

template<WeightType type>
ASSAY_AVX512 void run(const LinearArgs& args) {
    const std::int64_t wide = args.m == 1 ? kRowsForOne : kRowsOfW;
    for (std::int64_t block = 0; block < args.m; block += kBlockOfX) {
        const std::int64_t end = std::min(args.m, block + kBlockOfX);
        for (std::int64_t j = 0; j < args.n; j += wide) {
            const std::int64_t n = std::min(wide, args.n - j);
            std::int64_t i = block;
            for (; i + kRowsOfX <= end; i += kRowsOfX) rows<type, kRowsOfX>(args, i, j, n);
            for (; i < end; ++i) {
                if (n == kRowsOfW)
                    tile<type, 1, kRowsOfW>(args, i, j);
                else
                    rows<type, 1>(args, i, j, n);
            }
        }
    }
}

} // namespace

void linear_avx512(const LinearArgs& args) {
    if (args.type == WeightType::F32)
        run<WeightType::F32>(args);
    else
        run<WeightType::Bf16>(args);
}

bool avx512_available() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

} // namespace assay::kernels

#else

namespace assay::kernels {

void linear_avx512(const LinearArgs& args) {
    linear_reference(args);
}
bool avx512_available() {
    return false;
}

} // namespace assay::kernels

#endif
