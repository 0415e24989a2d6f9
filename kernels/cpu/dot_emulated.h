// dot_pair of 16 lanes without its instruction: included by the avx512 variants alone. Holds
// between the making and the end of a FlushSubnormals, for sums that are pinned after the one and
// before and after the other: so the compiler moves no arithmetic over the switch.
#pragma once

#include "avx512.h"

#define ASSAY_DOT ASSAY_AVX512
#define ASSAY_DOT_INLINE ASSAY_AVX512_INLINE

namespace assay::kernels {

namespace {

class FlushSubnormals { // operands and results, as the instruction does by itself
  public:
    FlushSubnormals()
        : before_(_mm_getcsr()) {
        _mm_setcsr(before_ | 0x8040u);
    }
    ~FlushSubnormals() { _mm_setcsr(before_); }
    FlushSubnormals(const FlushSubnormals&) = delete;

  private:
    unsigned before_;
};

ASSAY_DOT_INLINE void pin(__m512& sum) {
    asm volatile("" : "+v"(sum));
}

ASSAY_DOT_INLINE __m512 dot16(__m512 sum, __m512i a, __m512i b) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    sum = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(a, upper)),
                          _mm512_castsi512_ps(_mm512_and_si512(b, upper)), sum);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(a, 16)),
                           _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)), sum);
}

} // namespace

} // namespace assay::kernels
