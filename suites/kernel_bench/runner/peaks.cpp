// The yardsticks of the roofline, measured on the spot with the same compiler flags and the same
// runner as the answers. Axis "kind": 1 is a STREAM-like triad over memory that fits no cache
// (counted as STREAM does: two reads and a write), 2 and 3 are independent chains of fused
// multiply-adds in f32 and f64. The work of one call is written to the output.
#include "kernel_task.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

constexpr std::size_t kTriad = std::size_t(1) << 23; // doubles, three arrays: 192 MiB
constexpr int kSteps = 400000;
volatile double sink; // keeps the work

double triad() {
    static std::vector<double> a(kTriad, 1.0), b(kTriad, 2.0), c(kTriad, 3.0);
    double s = b[0];
    for (std::size_t i = 0; i < kTriad; ++i) a[i] = b[i] + s * c[i];
    sink = a[kTriad / 2];
    return 24.0 * static_cast<double>(kTriad);
}

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// Ten vectors: enough independent chains for two units of four cycles each, few enough for the
// sixteen registers.
template<class T>
double multiply_add() {
    typedef T Vector __attribute__((vector_size(kVectorBytes)));
    constexpr int kChains = 10, kWidth = kVectorBytes / static_cast<int>(sizeof(T));
    Vector chain[kChains];
    T factor = static_cast<T>(0.999999) + static_cast<T>(sink) * 0;
    Vector scale = Vector{} + factor, add = Vector{} + static_cast<T>(0.5);
    for (int i = 0; i < kChains; ++i) chain[i] = Vector{} + static_cast<T>(i);
    for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 10
        for (int i = 0; i < kChains; ++i)
            chain[i] = chain[i] * scale + add; // contracted to a fused multiply-add
    }
    double sum = 0;
    for (int i = 0; i < kChains; ++i)
        for (int lane = 0; lane < kWidth; ++lane) sum += static_cast<double>(chain[i][lane]);
    sink = sum * 0;
    return 2.0 * kSteps * kChains * kWidth;
}

} // namespace

extern "C" int32_t solve(const kt_tensor*, int32_t, kt_tensor* out, int32_t,
                         const kt_params* params, void*) {
    double work = 0;
    switch (params->values[0]) {
    case 1:
        work = triad();
        break;
    case 2:
        work = multiply_add<float>();
        break;
    default:
        work = multiply_add<double>();
        break;
    }
    static_cast<double*>(out[0].data)[0] = work;
    return 0;
}
