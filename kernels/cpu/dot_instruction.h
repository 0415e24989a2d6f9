// dot_pair of 16 lanes as one instruction: included by the avx512bf16 variants alone.
#pragma once

#include "avx512.h"

#define ASSAY_DOT __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define ASSAY_DOT_INLINE ASSAY_DOT __attribute__((always_inline)) inline

namespace assay::kernels {

namespace {

struct FlushSubnormals { // nothing to do
    FlushSubnormals() {}
};

ASSAY_DOT_INLINE void pin(__m512&) {}

ASSAY_DOT_INLINE __m512 dot16(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

} // namespace

} // namespace assay::kernels
