// The tiles of fold_block, for whichever dot16 was included before. A line is a head of a row. A
// tile of lines and tokens keeps its scores in registers over all dimensions, a tile of lines and
// dimensions its sums over all tokens; the block's keys and values stay in the caches while all
// lines pass.
#include "assay/kernels/fold_block.h"

#include <algorithm>
#include <array>
#include <memory>

namespace assay::kernels {

namespace {

constexpr int kLines = 6, kVectors = 4; // 24 sums of 32 registers

struct Line {
    const std::int32_t* q; // words
    float *out, *state;
    bool first;
};

// How words are multiplied.
struct FloatWords {
    static constexpr int kTokens = 1; // of a word of values
    struct Scope {
        Scope() {}
    };
    ASSAY_DOT_INLINE static void pin_sum(__m512&) {}
    ASSAY_DOT_INLINE static __m512 step(__m512 sum, __m512i a, __m512i b) {
        return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
    }
};

struct PairWords {
    static constexpr int kTokens = 2;
    using Scope = FlushSubnormals;
    ASSAY_DOT_INLINE static void pin_sum(__m512& sum) { pin(sum); }
    ASSAY_DOT_INLINE static __m512 step(__m512 sum, __m512i a, __m512i b) {
        return dot16(sum, a, b);
    }
};

template<class Words>
struct Scratch {
    alignas(64) float score[kLines][kMaxBlock];
    alignas(64) std::int32_t p[kLines][kMaxBlock / Words::kTokens];

    // Of the calling thread. On the heap: what is thread_local itself takes room on the stack of
    // every thread of the process, and those of trials are small.
    static Scratch& mine() {
        thread_local const std::unique_ptr<Scratch> scratch(new Scratch());
        return *scratch;
    }
};

// A tile of kVectors has no tail. A masked load would make g++ write all sums to memory each time.
template<int V>
ASSAY_DOT_INLINE __m512i load(__mmask16 mask, const std::int32_t* from) {
    if constexpr (V == kVectors) return _mm512_loadu_si512(from);
    return _mm512_maskz_loadu_epi32(mask, from);
}

template<int L, int V>
struct Sums {
    __m512 of[L][V];
};

// Over steps: word(l, step) * the vectors of row `step` of `table`, which is `width` words wide.
// `fetch`, if any: a table of the same shape that will be needed soon. In the last step only the
// bits of `last` count.
template<class Words, int L, int V>
ASSAY_DOT_INLINE Sums<L, V>
products(const std::int32_t* const (&word)[L], const std::int32_t* table, std::int64_t width,
         std::int64_t steps, const __mmask16 (&mask)[V], const std::int32_t* fetch, int last) {
    const typename Words::Scope scope;
    __m512 sum[L][V]; // in registers: nothing outside may see it before the end
    for (auto& line : sum)
        for (__m512& one : line) Words::pin_sum(one = _mm512_setzero_ps());
    for (std::int64_t s = 0; s < steps; ++s) {
        __m512i row[V];
        for (int v = 0; v < V; ++v) row[v] = load<V>(mask[v], table + s * width + 16 * v);
        if (fetch != nullptr)
            for (int v = 0; v < V; ++v)
                _mm_prefetch(reinterpret_cast<const char*>(fetch + s * width + 16 * v),
                             _MM_HINT_T0);
        if (s + 1 == steps && last != -1)
            for (int v = 0; v < V; ++v) row[v] = _mm512_and_si512(row[v], _mm512_set1_epi32(last));
        for (int l = 0; l < L; ++l) {
            const __m512i one = _mm512_set1_epi32(word[l][s]);
            for (int v = 0; v < V; ++v) sum[l][v] = Words::step(sum[l][v], one, row[v]);
        }
    }
    Sums<L, V> out;
    for (int l = 0; l < L; ++l)
        for (int v = 0; v < V; ++v) {
            Words::pin_sum(sum[l][v]);
            out.of[l][v] = sum[l][v];
        }
    return out;
}

template<class Words, int L, int V>
ASSAY_DOT void scores_tile(const Line* lines, const CachedBlock& at, std::int64_t first,
                           std::int64_t tokens, const void* fetch, float (*score)[kMaxBlock]) {
    const std::int32_t* q[L];
    __mmask16 mask[V];
    for (int l = 0; l < L; ++l) q[l] = lines[l].q;
    for (int v = 0; v < V; ++v) mask[v] = first_lanes(tokens - first - 16 * v);
    const auto* ahead = static_cast<const std::int32_t*>(fetch);
    Sums<L, V> sum = products<Words, L, V>(q, static_cast<const std::int32_t*>(at.keys) + first,
                                           at.block, at.dim / Words::kTokens, mask,
                                           ahead == nullptr ? nullptr : ahead + first, -1);
    for (int l = 0; l < L; ++l)
        for (int v = 0; v < V; ++v) {
            Words::pin_sum(sum.of[l][v]);
            _mm512_mask_storeu_ps(score[l] + first + 16 * v, mask[v], sum.of[l][v]);
        }
}

template<class Words, int L>
ASSAY_DOT void scores(const Line* lines, const CachedBlock& at, std::int64_t tokens,
                      const void* fetch, float (*score)[kMaxBlock]) {
    std::int64_t first = 0;
    for (; first + 16 * kVectors <= tokens; first += 16 * kVectors)
        scores_tile<Words, L, kVectors>(lines, at, first, tokens, fetch, score);
    for (; first < tokens; first += 16)
        scores_tile<Words, L, 1>(lines, at, first, tokens, fetch, score);
}

// Turns scores into their exponentials, as words, and returns their maximum and sum.
template<class Words>
ASSAY_DOT_INLINE void soften(float* score, std::int64_t tokens, float scale, std::int32_t* p,
                             float& max, float& sum) {
    const __m512 times = _mm512_set1_ps(scale);
    __m512 most = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    for (std::int64_t j = 0; j < tokens; j += 16) {
        const __mmask16 mask = first_lanes(tokens - j);
        const __m512 one = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, score + j), times);
        _mm512_storeu_ps(score + j, one);
        most = _mm512_mask_max_ps(most, mask, most, one);
    }
    max = _mm512_reduce_max_ps(most);
    __m512 total = _mm512_setzero_ps();
    for (std::int64_t j = 0; j < tokens; j += 16) {
        const __mmask16 mask = first_lanes(tokens - j);
        const __m512 part = _mm512_maskz_mov_ps(
            mask, exponential16(_mm512_sub_ps(_mm512_loadu_ps(score + j), _mm512_set1_ps(max))));
        total = _mm512_mask_add_ps(total, mask, total, part);
        if constexpr (Words::kTokens == 1) {
            _mm512_storeu_ps(p + j, part);
        } else {
            const __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(rounded16(part)), 16);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + j / 2),
                                _mm512_cvtepi32_epi16(upper));
        }
    }
    sum = fold_halves(total);
}

template<int L>
struct Parts {
    float old[L], added[L];
};

// M and L of the lines with a block's maxima and sums, and by what O and o are multiplied.
template<int L>
ASSAY_DOT_INLINE Parts<L> join(const Line* lines, const float (&max)[L], const float (&sum)[L]) {
    alignas(64) float difference[16] = {};
    float new_max[L];
    for (int l = 0; l < L; ++l) {
        const float old = lines[l].first ? max[l] : lines[l].state[0];
        new_max[l] = std::max(old, max[l]);
        difference[l] = old - new_max[l];
        difference[8 + l] = max[l] - new_max[l];
    }
    alignas(64) float part[16];
    _mm512_store_ps(part, exponential16(_mm512_load_ps(difference)));
    Parts<L> parts;
    for (int l = 0; l < L; ++l) {
        parts.old[l] = part[l];
        parts.added[l] = part[8 + l];
        float* state = lines[l].state;
        state[1] = lines[l].first ? sum[l] : std::fma(state[1], part[l], sum[l] * part[8 + l]);
        state[0] = lines[l].first ? max[l] : new_max[l];
    }
    return parts;
}

template<class Words, int L, int V>
ASSAY_DOT void values_tile(const Line* lines, const CachedBlock& at, std::int64_t first,
                           std::int64_t tokens, const std::int32_t* const (&p)[L],
                           const void* fetch, const Parts<L>& parts) {
    __mmask16 mask[V];
    for (int v = 0; v < V; ++v) mask[v] = first_lanes(at.dim - first - 16 * v);
    const auto* ahead = static_cast<const std::int32_t*>(fetch);
    const bool half = Words::kTokens == 2 && tokens % 2 == 1;
    Sums<L, V> sum =
        products<Words, L, V>(p, static_cast<const std::int32_t*>(at.values) + first, at.dim,
                              (tokens + Words::kTokens - 1) / Words::kTokens, mask,
                              ahead == nullptr ? nullptr : ahead + first, half ? 0xffff : -1);
    for (int l = 0; l < L; ++l)
        for (int v = 0; v < V; ++v) {
            Words::pin_sum(sum.of[l][v]);
            float* out = lines[l].out + first + 16 * v;
            __m512 all = sum.of[l][v];
            if (!lines[l].first)
                all = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask[v], out),
                                      _mm512_set1_ps(parts.old[l]),
                                      _mm512_mul_ps(all, _mm512_set1_ps(parts.added[l])));
            _mm512_mask_storeu_ps(out, mask[v], all);
        }
}

template<class Words, int L>
ASSAY_DOT void fold_lines(const Line* lines, const FoldArgs& args, std::int64_t tokens,
                          bool fetch) {
    Scratch<Words>& scratch = Scratch<Words>::mine();
    const CachedBlock& at = args.at;
    scores<Words, L>(lines, at, tokens, fetch ? at.values : nullptr, scratch.score);
    float max[L], sum[L];
    const std::int32_t* p[L];
    for (int l = 0; l < L; ++l) {
        soften<Words>(scratch.score[l], tokens, args.scale, scratch.p[l], max[l], sum[l]);
        p[l] = scratch.p[l];
    }
    const Parts<L> parts = join<L>(lines, max, sum);
    const void* next = fetch ? args.next : nullptr;
    std::int64_t d = 0;
    for (; d + 16 * kVectors <= at.dim; d += 16 * kVectors)
        values_tile<Words, L, kVectors>(lines, at, d, tokens, p, next, parts);
    for (; d < at.dim; d += 16) values_tile<Words, L, 1>(lines, at, d, tokens, p, next, parts);
}

template<class Words, int L>
ASSAY_DOT void rank_lines(const Line* lines, const RankArgs& args, std::int64_t tokens,
                          bool fetch) {
    Scratch<Words>& scratch = Scratch<Words>::mine();
    scores<Words, L>(lines, args.at, tokens, fetch ? args.next : nullptr, scratch.score);
    for (int l = 0; l < L; ++l) {
        __m512 most = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
        for (std::int64_t j = 0; j < tokens; j += 16) {
            const __mmask16 mask = first_lanes(tokens - j);
            const __m512 one = _mm512_maskz_loadu_ps(mask, scratch.score[l] + j);
            most = _mm512_mask_max_ps(most, mask, one, most); // of NaN the other
        }
        *lines[l].out = _mm512_reduce_max_ps(most);
    }
}

// The lines of the rows with as many tokens, kLines at a time: call(lines, L, tokens, whether they
// are the first of the block).
template<class Rows, class LineOf, class Call>
void each_tile(const Rows& rows, std::int64_t heads, const LineOf& line_of, const Call& call) {
    std::array<Line, kLines> lines;
    int held = 0;
    bool first = true;
    auto flush = [&](std::int64_t tokens) {
        if (held > 0) call(lines.data(), held, tokens, first);
        first = first && held == 0;
        held = 0;
    };
    for (std::size_t r = 0; r < rows.size(); ++r) {
        if (r > 0 && rows[r].tokens != rows[r - 1].tokens) flush(rows[r - 1].tokens);
        for (std::int64_t head = 0; head < heads; ++head) {
            lines[static_cast<std::size_t>(held++)] = line_of(rows[r], head);
            if (held == kLines) flush(rows[r].tokens);
        }
    }
    if (!rows.empty()) flush(rows.back().tokens);
}

template<class Words>
void fold_rows(const FoldArgs& args) {
    const std::int64_t words = args.at.dim / Words::kTokens;
    auto line_of = [&](const FoldRow& row, std::int64_t head) -> Line {
        return {static_cast<const std::int32_t*>(row.q) + head * words,
                row.out + head * args.at.dim, row.state + 2 * head, row.first};
    };
    each_tile(args.rows, args.heads, line_of,
              [&](const Line* lines, int held, std::int64_t tokens, bool first) {
                  switch (held) {
                  case 1:
                      return fold_lines<Words, 1>(lines, args, tokens, first);
                  case 2:
                      return fold_lines<Words, 2>(lines, args, tokens, first);
                  case 3:
                      return fold_lines<Words, 3>(lines, args, tokens, first);
                  case 4:
                      return fold_lines<Words, 4>(lines, args, tokens, first);
                  case 5:
                      return fold_lines<Words, 5>(lines, args, tokens, first);
                  default:
                      return fold_lines<Words, kLines>(lines, args, tokens, first);
                  }
              });
}

template<class Words>
void rank_rows(const RankArgs& args) {
    const std::int64_t words = args.at.dim / Words::kTokens;
    auto line_of = [&](const RankRow& row, std::int64_t head) -> Line {
        return {static_cast<const std::int32_t*>(row.q) + head * words,
                row.best + head * args.best_stride, nullptr, true};
    };
    each_tile(args.rows, args.heads, line_of,
              [&](const Line* lines, int held, std::int64_t tokens, bool first) {
                  switch (held) {
                  case 1:
                      return rank_lines<Words, 1>(lines, args, tokens, first);
                  case 2:
                      return rank_lines<Words, 2>(lines, args, tokens, first);
                  case 3:
                      return rank_lines<Words, 3>(lines, args, tokens, first);
                  case 4:
                      return rank_lines<Words, 4>(lines, args, tokens, first);
                  case 5:
                      return rank_lines<Words, 5>(lines, args, tokens, first);
                  default:
                      return rank_lines<Words, kLines>(lines, args, tokens, first);
                  }
              });
}

void fold(const FoldArgs& args) {
    if (args.at.type == CacheType::F32)
        fold_rows<FloatWords>(args);
    else
        fold_rows<PairWords>(args);
}

void rank(const RankArgs& args) {
    if (args.at.type == CacheType::F32)
        rank_rows<FloatWords>(args);
    else
        rank_rows<PairWords>(args);
}

ASSAY_DOT void finish(float* out, const float* state, std::int64_t heads, std::int64_t dim) {
    for (std::int64_t head = 0; head < heads; ++head) {
        const __m512 sum = _mm512_set1_ps(state[2 * head + 1]);
        for (std::int64_t d = 0; d < dim; d += 16) {
            const __mmask16 mask = first_lanes(dim - d);
            float* at = out + head * dim + d;
            _mm512_mask_storeu_ps(at, mask, _mm512_div_ps(_mm512_maskz_loadu_ps(mask, at), sum));
        }
    }
}

} // namespace

} // namespace assay::kernels
