// What the AVX-512 variants share. Included by them alone.
#pragma once

#include "assay/kernels/exponential.h"

#include <immintrin.h>

// g++ 12 warns of its own intrinsics, whose undefined operand is meant.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define ASSAY_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define ASSAY_AVX512_INLINE ASSAY_AVX512 __attribute__((always_inline)) inline

namespace assay::kernels {

ASSAY_AVX512_INLINE __mmask16 first_lanes(long long count) {
    if (count >= 16) return 0xffff;
    return count <= 0 ? __mmask16{0} : static_cast<__mmask16>((1u << count) - 1u);
}

ASSAY_AVX512_INLINE float fold_halves(__m512 v) { // lane[l] += lane[l + h] for h = 8, 4, 2, 1
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

ASSAY_AVX512_INLINE __m512 rounded16(__m512 y) { // round_bf16 of 16 values
    const __m512i bits = _mm512_castps_si512(y), one = _mm512_set1_epi32(1);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(y, y, _CMP_UNORD_Q);
    up = _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_srli_epi32(up, 16), 16));
}

// exponential() of 16 values.
ASSAY_AVX512_INLINE __m512 exponential16(__m512 x) {
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(kLog2E)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2High), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2Low), r);
    __m512 y = _mm512_set1_ps(kExpTerm[0]);
    for (int i = 1; i < kExpTerms; ++i) y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(kExpTerm[i]));
    __m512i power =
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    y = _mm512_mul_ps(y, _mm512_castsi512_ps(power));
    __mmask16 low = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kExpLeast), _CMP_LT_OQ);
    __mmask16 high = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kExpMost), _CMP_GT_OQ);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    y = _mm512_mask_mov_ps(y, low, _mm512_setzero_ps());
    y = _mm512_mask_mov_ps(y, high, _mm512_set1_ps(std::numeric_limits<float>::infinity()));
    return _mm512_mask_mov_ps(y, nan, x);
}

} // namespace assay::kernels
