// The tiles with the instruction, where it does what the contract says.
#include "assay/kernels/linear.h"
#include "assay/kernels/linear_bf16.h"

#if defined(__x86_64__)

#include "dot_instruction.h"
#include "linear_bf16_tiles.h"

namespace assay::kernels {

namespace {

// Lanes at both ends of the range and a rounding up to the least normal number: an instruction that
// did otherwise would part from the other variants unseen.
ASSAY_DOT bool as_dot_pair() {
    constexpr Bf16Bits kValues[] = {0x0000, 0x8000, 0x0001, 0x3f80, 0xbf81, 0x3fff, 0x7f7f, 0xff7f,
                                    0x7f80, 0x0080, 0x8081, 0x1a40, 0x9980, 0x40a9, 0x2f13, 0x5f01};
    constexpr float kSums[] = {0.0f, 0x1p-126f,       -0x1.8p-126f,   0x1p-130f,
                               1.0f, -0x1.fffffep-1f, 0x1.fffffep127f};
    Bf16Bits a[32], b[32];
    for (float start : kSums)
        for (int turn = 0; turn < 16 * 16; ++turn) {
            for (int i = 0; i < 32; ++i) {
                a[i] = kValues[(i + turn) % 16];
                b[i] = kValues[(i * 5 + turn / 16) % 16];
            }
            float got[16];
            _mm512_storeu_ps(
                got, dot16(_mm512_set1_ps(start), _mm512_loadu_si512(a), _mm512_loadu_si512(b)));
            for (int l = 0; l < 16; ++l) {
                const float want =
                    dot_pair({a[2 * l], a[2 * l + 1]}, {b[2 * l], b[2 * l + 1]}, start);
                if (std::isnan(want) ? !std::isnan(got[l])
                                     : std::bit_cast<int>(want) != std::bit_cast<int>(got[l]))
                    return false;
            }
        }
    return true;
}

} // namespace

void linear_bf16_avx512bf16(const LinearBf16Args& args) {
    panels(args);
}

bool dot_instruction_available() {
    static const bool available =
        avx512_available() && __builtin_cpu_supports("avx512bf16") && as_dot_pair();
    return available;
}

} // namespace assay::kernels

#else

namespace assay::kernels {

void linear_bf16_avx512bf16(const LinearBf16Args& args) {
    linear_bf16_reference(args);
}

bool dot_instruction_available() {
    return false;
}

} // namespace assay::kernels

#endif
