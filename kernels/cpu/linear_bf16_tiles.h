// The tiles of linear_bf16, for whichever dot16 was included before: 16 lanes along k in a
// register, one for each output of a tile, so every value that is loaded serves several. Both sides
// are read along k as they lie; a weight is neither copied nor packed. A panel of some rows of w
// stays in the second-level cache while all rows of x pass.
#include "assay/kernels/linear_bf16.h"

#include <algorithm>

namespace assay::kernels {

namespace {

constexpr int kTileX = 6, kTileW = 4; // 24 sums of 32 registers
constexpr std::int64_t kPanelBytes = 256 << 10;

// Sums of lanes l and l + h side by side, for two registers: h = 8, 4, 2, 1 in this order.
ASSAY_DOT_INLINE __m512 join8(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
ASSAY_DOT_INLINE __m512 join4(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
ASSAY_DOT_INLINE __m512 join2(__m512 a, __m512 b) {
    const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}
ASSAY_DOT_INLINE __m512 join1(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}
// Of four registers: the quarters of theirs, four lanes each.
ASSAY_DOT_INLINE __m512 quarters(const __m512* sum) {
    return join4(join8(sum[0], sum[1]), join8(sum[2], sum[3]));
}

// Four outputs of each of ROWS rows of y, from ROWS * kTileW sums.
template<int ROWS>
ASSAY_DOT_INLINE void store(const __m512* sum, const LinearBf16Args& args, std::int64_t i,
                            std::int64_t j) {
    __m512 y = quarters(sum);
    if constexpr (ROWS == 1) {
        y = join2(y, y);
        y = join1(y, y);
    } else if constexpr (ROWS == 2) {
        y = join2(y, quarters(sum + 4));
        y = join1(y, y);
    } else {
        y = join1(join2(y, quarters(sum + 4)),
                  join2(quarters(sum + 8), quarters(sum + (ROWS == 4 ? 12 : 8))));
    }
    // Lane 4 w + r (for one or two rows also others) has row r, output w.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    y = _mm512_permutexvar_ps(order, y);
    if (args.round) y = rounded16(y);
    float* to = args.y + i * args.y_stride + j;
    _mm_storeu_ps(to, _mm512_castps512_ps128(y));
    if constexpr (ROWS > 1) _mm_storeu_ps(to + args.y_stride, _mm512_extractf32x4_ps(y, 1));
    if constexpr (ROWS > 2) _mm_storeu_ps(to + 2 * args.y_stride, _mm512_extractf32x4_ps(y, 2));
    if constexpr (ROWS > 3) _mm_storeu_ps(to + 3 * args.y_stride, _mm512_extractf32x4_ps(y, 3));
}

// The lanes of M x W outputs; `ahead`: how many bytes to fetch in advance for a single row of x.
template<int M, int W>
ASSAY_DOT_INLINE void dots(const Bf16Bits* const* x, const Bf16Bits* w, std::int64_t columns,
                           std::int64_t ahead, __m512 (&sum)[M][W]) {
    const FlushSubnormals flush;
    for (auto& row : sum)
        for (__m512& one : row) pin(one = _mm512_setzero_ps());
    std::int64_t k = 0;
    for (; k + 32 <= columns; k += 32) {
        __m512i of_w[W];
        for (int b = 0; b < W; ++b) {
            const Bf16Bits* at = w + b * columns + k;
            of_w[b] = _mm512_loadu_si512(at);
            if constexpr (M == 1)
                _mm_prefetch(reinterpret_cast<const char*>(at) + ahead, _MM_HINT_T0);
        }
        for (int a = 0; a < M; ++a) {
            const __m512i of_x = _mm512_loadu_si512(x[a] + k);
            for (int b = 0; b < W; ++b) sum[a][b] = dot16(sum[a][b], of_x, of_w[b]);
        }
    }
    if (k < columns) {
        const auto mask = static_cast<__mmask32>((std::uint64_t{1} << (columns - k)) - 1);
        for (int a = 0; a < M; ++a)
            for (int b = 0; b < W; ++b)
                sum[a][b] = dot16(sum[a][b], _mm512_maskz_loadu_epi16(mask, x[a] + k),
                                  _mm512_maskz_loadu_epi16(mask, w + b * columns + k));
    }
    for (auto& row : sum)
        for (__m512& one : row) pin(one);
}

// M rows of x from i, W rows of w from j.
template<int M, int W>
ASSAY_DOT void tile(const LinearBf16Args& args, std::int64_t i, std::int64_t j,
                    std::int64_t ahead) {
    const Bf16Bits* x[M];
    for (int a = 0; a < M; ++a)
        x[a] = args.x + (args.rows == nullptr ? i + a : args.rows[i + a]) * args.x_stride;
    __m512 sum[M][W];
    dots<M, W>(x, args.w + j * args.k, args.k, ahead, sum);
    for (auto& row : sum)
        for (__m512& one : row) pin(one);
    if constexpr (W == kTileW) {
        constexpr int kFirst = M < 4 ? M : 4;
        store<kFirst>(sum[0], args, i, j);
        if constexpr (M > 4) store<M - 4>(sum[4], args, i + 4, j);
    } else {
        for (int a = 0; a < M; ++a)
            for (int b = 0; b < W; ++b) {
                const float y = fold_halves(sum[a][b]);
                args.y[(i + a) * args.y_stride + j + b] = args.round ? round_bf16(y) : y;
            }
    }
}

template<int M>
ASSAY_DOT void tiles(const LinearBf16Args& args, std::int64_t i, std::int64_t begin,
                     std::int64_t end) {
    // Rows of w lie side by side, so the next tile's come where these end.
    std::int64_t ahead = kTileW * args.k * 2;
    if (ahead > (16 << 10)) ahead = 4 << 10;
    std::int64_t j = begin;
    for (; j + kTileW <= end; j += kTileW) tile<M, kTileW>(args, i, j, ahead);
    for (; j < end; ++j) tile<M, 1>(args, i, j, 0);
}

ASSAY_DOT void panels(const LinearBf16Args& args) {
    std::int64_t panel = std::max<std::int64_t>(1, kPanelBytes / (args.k * 2 * kTileW)) * kTileW;
    if (args.m <= kTileX) panel = args.n;
    for (std::int64_t begin = 0; begin < args.n; begin += panel) {
        const std::int64_t end = std::min(args.n, begin + panel);
        std::int64_t i = 0;
        for (; i + kTileX <= args.m; i += kTileX) tiles<kTileX>(args, i, begin, end);
        switch (args.m - i) {
        case 1:
            tiles<1>(args, i, begin, end);
            break;
        case 2:
            tiles<2>(args, i, begin, end);
            break;
        case 3:
            tiles<3>(args, i, begin, end);
            break;
        case 4:
            tiles<4>(args, i, begin, end);
            break;
        case 5:
            tiles<5>(args, i, begin, end);
            break;
        default:
            break;
        }
    }
}

} // namespace

} // namespace assay::kernels
