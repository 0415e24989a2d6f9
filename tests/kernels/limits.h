// What this machine can do at most, at this moment: for the benchmarks, which print their results
// as parts of it.
#pragma once

#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
// g++ 12 warns of its own intrinsics, whose undefined operand is meant.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#endif

namespace assay::kernels::limits {

inline double seconds_of(const std::function<void()>& call) {
    const auto began = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Units a second that `threads` threads do together, from `units` of each in a call.
inline double rate(int threads, double units, const std::function<void(int)>& call) {
    constexpr int kCalls = 9;
    std::vector<double> rates;
    for (int i = 0; i < kCalls; ++i) {
        std::atomic<int> ready = 0;
        auto part = [&](int self) {
            ++ready;
            while (ready < threads) {
            }
            call(self);
        };
        const double took = seconds_of([&] {
            std::vector<std::jthread> others;
            for (int t = 1; t < threads; ++t) others.emplace_back(part, t);
            part(0);
        });
        rates.push_back(threads * units / took);
    }
    return median(rates);
}

// Sums that do not wait for one another, in the registers that there are.
#if defined(__x86_64__)
constexpr int kSums = 24, kRounds = 200'000;

__attribute__((target("avx512f"), noinline)) inline float many_fmas() {
    __m512 sum[kSums];
    for (int i = 0; i < kSums; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
    for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 24
        for (int i = 0; i < kSums; ++i) sum[i] = _mm512_fmadd_ps(sum[i], a, b);
    }
    __m512 all = _mm512_setzero_ps();
    for (int i = 0; i < kSums; ++i) all = _mm512_add_ps(all, sum[i]);
    return _mm512_reduce_add_ps(all);
}

__attribute__((target("avx512f,avx512bf16"), noinline)) inline float many_dots() {
    __m512 sum[kSums];
    for (int i = 0; i < kSums; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
    const auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f003f00));
    for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 24
        for (int i = 0; i < kSums; ++i) sum[i] = _mm512_dpbf16_ps(sum[i], a, a);
    }
    __m512 all = _mm512_setzero_ps();
    for (int i = 0; i < kSums; ++i) all = _mm512_add_ps(all, sum[i]);
    return _mm512_reduce_add_ps(all);
}

inline double peak(int threads, float (*many)(), double flops) {
    std::atomic<float> kept = 0;
    return rate(threads, flops * kSums * kRounds, [&](int) { kept = many(); });
}
inline double peak_f32(int threads) { // flop a second, 0: not known
    return avx512_available() ? peak(threads, many_fmas, 2 * 16) : 0;
}
inline double peak_bf16(int threads) {
    return dot_instruction_available() ? peak(threads, many_dots, 4 * 16) : 0;
}

// Four streams at a time, fetched in advance.
__attribute__((target("avx512f"), noinline)) inline std::int64_t
read_all(const std::uint8_t* memory, std::size_t bytes) {
    const std::size_t part = bytes / 4;
    __m512i sums[4] = {};
    for (std::size_t i = 0; i < part; i += 64)
        for (std::size_t s = 0; s < 4; ++s) {
            const std::uint8_t* at = memory + s * part + i;
            _mm_prefetch(reinterpret_cast<const char*>(at) + 1024, _MM_HINT_T0);
            sums[s] = _mm512_add_epi64(sums[s], _mm512_loadu_si512(at));
        }
    return _mm512_reduce_add_epi64(
        _mm512_add_epi64(_mm512_add_epi64(sums[0], sums[1]), _mm512_add_epi64(sums[2], sums[3])));
}
#else
inline double peak_f32(int) {
    return 0;
}
inline double peak_bf16(int) {
    return 0;
}
inline std::int64_t read_all(const std::uint8_t* memory, std::size_t bytes) {
    std::int64_t sums[8] = {};
    for (std::size_t i = 0; i + 64 <= bytes; i += 64)
        for (std::size_t k = 0; k < 8; ++k) sums[k] += memory[i + 8 * k];
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}
#endif

inline double peak_read(int threads) { // bytes a second, of memory that no cache holds
    constexpr std::size_t kBytes = 256u << 20;
    std::vector<std::uint8_t> memory(kBytes * static_cast<std::size_t>(threads), 1);
    std::atomic<std::int64_t> kept = 0;
    auto part = [&](int self) {
        kept += read_all(memory.data() + kBytes * static_cast<std::size_t>(self), kBytes);
    };
    return rate(threads, static_cast<double>(kBytes), part);
}

} // namespace assay::kernels::limits
