// The same, 16 values at a time.
#include "assay/kernels/elementwise.h"
#include "assay/kernels/linear.h"

#if defined(__x86_64__)

#include "avx512.h"

namespace assay::kernels {

namespace {

ASSAY_AVX512 void round(float* x, Bf16Bits* narrow, std::int64_t count) {
    for (std::int64_t i = 0; i < count; i += 16) {
        const __mmask16 mask = first_lanes(count - i);
        const __m512 y = rounded16(_mm512_maskz_loadu_ps(mask, x + i));
        _mm512_mask_storeu_ps(x + i, mask, y);
        if (narrow == nullptr) continue;
        const __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(y), 16);
        _mm512_mask_cvtepi32_storeu_epi16(narrow + i, mask, upper);
    }
}

ASSAY_AVX512 void swiglu(const SwigluArgs& args) {
    const __m512 limit = _mm512_set1_ps(args.limit), one = _mm512_set1_ps(1.0f);
    const __m512 least = _mm512_set1_ps(-args.limit), alpha = _mm512_set1_ps(args.alpha);
    const __m512i sign = _mm512_set1_epi32(static_cast<int>(0x80000000u));
    for (std::int64_t i = 0; i < args.count; i += 16) {
        const __mmask16 mask = first_lanes(args.count - i);
        // The second operand comes through where one is NaN, as in the reference.
        const __m512 g = _mm512_min_ps(limit, _mm512_maskz_loadu_ps(mask, args.gate + i));
        __m512 u = _mm512_max_ps(least, _mm512_maskz_loadu_ps(mask, args.up + i));
        u = _mm512_min_ps(limit, u);
        const __m512 x = _mm512_mul_ps(alpha, g);
        const __m512 minus_x = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(x), sign));
        const __m512 logistic = _mm512_div_ps(one, _mm512_add_ps(one, exponential16(minus_x)));
        __m512 y = _mm512_mul_ps(_mm512_add_ps(u, one), _mm512_mul_ps(g, logistic));
        if (args.rounded) y = rounded16(y);
        _mm512_mask_storeu_ps(args.out + i, mask, y);
    }
}

ASSAY_AVX512 void add(float* x, const float* y, std::int64_t count, bool rounded) {
    for (std::int64_t i = 0; i < count; i += 16) {
        const __mmask16 mask = first_lanes(count - i);
        __m512 sum =
            _mm512_add_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, y + i));
        if (rounded) sum = rounded16(sum);
        _mm512_mask_storeu_ps(x + i, mask, sum);
    }
}

ASSAY_AVX512 void accumulate(float* sum, float weight, const float* x, std::int64_t count) {
    const __m512 w = _mm512_set1_ps(weight);
    for (std::int64_t i = 0; i < count; i += 16) {
        const __mmask16 mask = first_lanes(count - i);
        const __m512 old = _mm512_maskz_loadu_ps(mask, sum + i);
        _mm512_mask_storeu_ps(sum + i, mask,
                              _mm512_fmadd_ps(w, _mm512_maskz_loadu_ps(mask, x + i), old));
    }
}

ASSAY_AVX512 void turn(float* head, const float* cosines, const float* sines, std::int64_t half) {
    for (std::int64_t j = 0; j < half; j += 16) {
        const __mmask16 mask = first_lanes(half - j);
        const __m512 a = _mm512_maskz_loadu_ps(mask, head + j);
        const __m512 b = _mm512_maskz_loadu_ps(mask, head + half + j);
        const __m512 cosine = _mm512_maskz_loadu_ps(mask, cosines + j);
        const __m512 sine = _mm512_maskz_loadu_ps(mask, sines + j);
        _mm512_mask_storeu_ps(head + j, mask, _mm512_fmsub_ps(a, cosine, _mm512_mul_ps(b, sine)));
        _mm512_mask_storeu_ps(head + half + j, mask,
                              _mm512_fmadd_ps(b, cosine, _mm512_mul_ps(a, sine)));
    }
}

} // namespace

const Elementwise kElementwiseAvx512 = {"avx512", avx512_available, round, swiglu,
                                        add,      accumulate,       turn};

} // namespace assay::kernels

#else

namespace assay::kernels {

const Elementwise kElementwiseAvx512 = {
    "avx512", [] { return false; }, nullptr, nullptr, nullptr, nullptr, nullptr};

} // namespace assay::kernels

#endif
