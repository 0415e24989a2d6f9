#include "assay/engine/forward.h"

#include "assay/base/error.h"
#include "assay/kernels/bf16.h"
#include "assay/kernels/block_attention.h"
#include "assay/kernels/exponential.h"
#include "assay/kernels/select.h"
#include "ops.h"

#include <fmt/format.h>

#include <cmath>

namespace assay::engine {

struct Forward::Parts {
    const TextConfig& config;
    const TextWeights& weights;
    Compute compute;
    Workers workers;
    Rotation rotation;
};

Forward::Forward(const TextConfig& config, const TextWeights& weights, Compute compute, int threads)
    : parts_(new Parts{config, weights, compute, Workers(threads),
                       Rotation(config.rotary_dim, config.rope_theta)}) {
    if (config.block > kernels::kMaxBlock || config.head_dim > kernels::kMaxHeadDim)
        throw Error(ErrorKind::Unsupported,
                    fmt::format("the kernels hold blocks of up to {} tokens and heads of up to {} "
                                "dimensions, the model has {} and {}",
                                kernels::kMaxBlock, kernels::kMaxHeadDim, config.block,
                                config.head_dim));
}

Forward::~Forward() = default;

namespace {

struct Row {
    Sequence* sequence;
    std::int64_t position;
    bool logits;
};

using Buffer = std::vector<float>;

} // namespace

// One pass over the layers.
class Forward::Step {
  public:
    Step(Parts& parts, std::span<const Chunk> chunks, Probe* probe)
        : p_(parts)
        , c_(parts.config)
        , probe_(probe) {
        for (const Chunk& chunk : chunks) add_rows(chunk);
        rows_ = static_cast<std::int64_t>(row_.size());
    }

    Buffer run(const Cancel& cancel) {
        embed();
        if (probe_ != nullptr) probe_->embeddings(rows_, hidden_.data());
        for (int layer = 0; layer < static_cast<int>(c_.layers.size()); ++layer) {
            cancel.check();
            trace_ = {};
            attention(layer);
            mlp(layer);
            if (probe_ == nullptr) continue;
            trace_.rows = rows_;
            trace_.hidden = hidden_.data();
            trace_.attention = attention_.data();
            trace_.mlp = mlp_.data();
            probe_->layer(layer, trace_);
        }
        return logits();
    }

  private:
    void add_rows(const Chunk& chunk) {
        const Sequence& sequence = *chunk.sequence;
        const auto end = sequence.length() + static_cast<std::int64_t>(chunk.tokens.size());
        if (end > c_.max_positions)
            throw Error(ErrorKind::Input, fmt::format("{} tokens do not fit the model's context "
                                                      "of {}",
                                                      end, c_.max_positions));
        if (end > static_cast<std::int64_t>(sequence.pages().size()) * sequence.cache().block())
            throw Error(ErrorKind::Model, "the cache has no room for the tokens of a sequence");
        const auto first = static_cast<std::int64_t>(row_.size());
        for (const GivenRows& given : chunk.given) {
            const auto width = static_cast<std::size_t>(c_.hidden);
            if (given.first < 0 || given.rows.size() % width != 0 ||
                static_cast<std::size_t>(given.first) + given.rows.size() / width >
                    chunk.tokens.size())
                throw Error(ErrorKind::Internal, "given embeddings lie outside their chunk");
            given_.push_back({first + given.first, given.rows});
        }
        for (std::size_t i = 0; i < chunk.tokens.size(); ++i) {
            std::int32_t token = chunk.tokens[i];
            if (token < 0 || token >= c_.vocab)
                throw Error(ErrorKind::Input, fmt::format("token {} is not in the vocabulary of {}",
                                                          token, c_.vocab));
            bool last = i + 1 == chunk.tokens.size();
            row_.push_back({chunk.sequence, chunk.sequence->length() + static_cast<std::int64_t>(i),
                            chunk.logits == Logits::All || (chunk.logits == Logits::Last && last)});
            token_.push_back(token);
        }
    }

    std::int64_t count(std::int64_t columns) const { return rows_ * columns; }
    static void fit(Buffer& buffer, std::int64_t size) {
        buffer.resize(static_cast<std::size_t>(size));
    }

    void embed() {
        fit(hidden_, count(c_.hidden));
        const auto half = static_cast<std::size_t>(p_.rotation.frequencies.size());
        cos_.resize(row_.size() * half);
        sin_.resize(row_.size() * half);
        p_.workers.run(rows_, [&](std::int64_t r) {
            auto at = static_cast<std::size_t>(r);
            dequantise(p_.weights.embedding, token_[at], token_[at] + 1,
                       hidden_.data() + r * c_.hidden);
            p_.rotation.angles(row_[at].position, cos_.data() + at * half, sin_.data() + at * half);
        });
        for (const auto& [first, rows] : given_)
            std::copy(rows.begin(), rows.end(), hidden_.begin() + first * c_.hidden);
    }

    void project(const Matrix& w, const Buffer& x, Buffer& y) {
        fit(y, count(w.rows));
        linear(p_.workers, w, x.data(), rows_, y.data());
        round(p_.workers, p_.compute, count(w.rows), y.data());
    }

    void normalise(const Vector& weight, const Buffer& x, Buffer& y) {
        fit(y, static_cast<std::int64_t>(x.size()));
        norm(p_.workers, weight, c_.norm_epsilon, x.data(),
             static_cast<std::int64_t>(x.size() / weight.size()), y.data());
        round(p_.workers, p_.compute, static_cast<std::int64_t>(x.size()), y.data());
    }

    // Norm and rotation of every head of every row.
    void heads(const Vector& weight, Buffer& x, int number, int dim) {
        normalise(weight, x, x);
        const auto half = p_.rotation.frequencies.size();
        p_.workers.run(rows_, [&](std::int64_t r) {
            const auto at = static_cast<std::size_t>(r) * half;
            for (int h = 0; h < number; ++h)
                p_.rotation.turn(cos_.data() + at, sin_.data() + at,
                                 x.data() + (r * number + h) * dim);
        });
        round(p_.workers, p_.compute, static_cast<std::int64_t>(x.size()), x.data());
    }

    // Writes a row of keys, values and index keys to its place in the cache.
    void remember(int layer) {
        const bool sparse = c_.layers[static_cast<std::size_t>(layer)].sparse;
        p_.workers.run(rows_, [&](std::int64_t r) {
            const Row& row = row_[static_cast<std::size_t>(r)];
            const PageCache& cache = row.sequence->cache();
            const std::int64_t block = cache.block(), slot = row.position % block;
            int page = row.sequence->pages()[static_cast<std::size_t>(row.position / block)];
            for (int h = 0; h < c_.kv_heads; ++h) {
                const float* k = k_.data() + (r * c_.kv_heads + h) * c_.head_dim;
                const float* v = v_.data() + (r * c_.kv_heads + h) * c_.head_dim;
                float* keys = cache.keys(page, layer, h);
                for (int d = 0; d < c_.head_dim; ++d) keys[d * block + slot] = k[d];
                std::copy(v, v + c_.head_dim, cache.values(page, layer, h) + slot * c_.head_dim);
            }
            if (!sparse) return;
            float* keys = cache.index_keys(page, layer);
            for (int d = 0; d < c_.index_dim; ++d)
                keys[d * block + slot] = index_k_[static_cast<std::size_t>(r * c_.index_dim + d)];
        });
    }

    void attention(int layer) {
        const LayerWeights& w = p_.weights.layers[static_cast<std::size_t>(layer)];
        const bool sparse = c_.layers[static_cast<std::size_t>(layer)].sparse;
        normalise(w.input_norm, hidden_, x_);
        project(w.q, x_, q_);
        project(w.k, x_, k_);
        project(w.v, x_, v_);
        heads(w.q_norm, q_, c_.heads, c_.head_dim);
        heads(w.k_norm, k_, c_.kv_heads, c_.head_dim);
        if (sparse) {
            project(w.index_q, x_, index_q_);
            project(w.index_k, x_, index_k_);
            heads(w.index_q_norm, index_q_, c_.index_heads, c_.index_dim);
            heads(w.index_k_norm, index_k_, 1, c_.index_dim);
            auto per_row = [&](auto& all) {
                all.assign(static_cast<std::size_t>(c_.kv_heads), {});
                for (auto& head : all) head.resize(row_.size());
            };
            per_row(blocks_);
            per_row(scores_);
            trace_.blocks = &blocks_;
            trace_.block_scores = &scores_;
        }
        remember(layer);
        fit(mixed_, count(c_.heads * c_.head_dim));
        p_.workers.run(rows_ * c_.kv_heads, [&](std::int64_t task) {
            attend(layer, sparse, task / c_.kv_heads, static_cast<int>(task % c_.kv_heads));
        });
        round(p_.workers, p_.compute, static_cast<std::int64_t>(mixed_.size()), mixed_.data());
        project(w.o, mixed_, attention_);
        add(p_.workers, p_.compute, attention_.data(), count(c_.hidden), hidden_.data());
    }

    // The query heads of one KV head at one position.
    void attend(int layer, bool sparse, std::int64_t r, int kv_head) {
        const Row& row = row_[static_cast<std::size_t>(r)];
        const PageCache& cache = row.sequence->cache();
        const auto block = static_cast<std::int64_t>(cache.block());
        const auto visible = static_cast<int>(row.position / block) + 1;
        thread_local std::vector<std::int32_t> chosen;
        thread_local std::vector<const float*> keys, values;
        thread_local std::vector<int> tokens;
        chosen.resize(static_cast<std::size_t>(visible));
        if (sparse) {
            choose(layer, row, r, kv_head, chosen);
        } else {
            for (int b = 0; b < visible; ++b) chosen[static_cast<std::size_t>(b)] = b;
        }
        keys.clear();
        values.clear();
        tokens.clear();
        for (std::int32_t b : chosen) {
            int page = row.sequence->pages()[static_cast<std::size_t>(b)];
            keys.push_back(cache.keys(page, layer, kv_head));
            values.push_back(cache.values(page, layer, kv_head));
            tokens.push_back(tokens_in(row, b, block));
        }
        const std::int64_t group = c_.heads / c_.kv_heads;
        const std::int64_t first = (r * c_.heads + kv_head * group) * c_.head_dim;
        kernels::block_attention_best().attend(
            {q_.data() + first, mixed_.data() + first, group, c_.head_dim, block, c_.head_dim,
             c_.head_dim, keys, values, tokens,
             static_cast<float>(1.0 / std::sqrt(static_cast<double>(c_.head_dim)))});
    }

    static int tokens_in(const Row& row, std::int32_t b, std::int64_t block) {
        return static_cast<int>(std::min(block, row.position + 1 - b * block));
    }

    // The index head of a KV head ranks the blocks that the position sees.
    void choose(int layer, const Row& row, std::int64_t r, int kv_head,
                std::vector<std::int32_t>& chosen) {
        const PageCache& cache = row.sequence->cache();
        thread_local std::vector<const float*> keys;
        thread_local std::vector<int> tokens;
        thread_local std::vector<float> best;
        keys.clear();
        tokens.clear();
        best.resize(chosen.size());
        for (std::size_t b = 0; b < chosen.size(); ++b) {
            keys.push_back(cache.index_keys(row.sequence->pages()[b], layer));
            tokens.push_back(tokens_in(row, static_cast<std::int32_t>(b), cache.block()));
        }
        const int head = kv_head * c_.index_heads / c_.kv_heads;
        kernels::block_attention_best().block_max(
            {index_q_.data() + (r * c_.index_heads + head) * c_.index_dim, best.data(), 1,
             c_.index_dim, cache.block(), c_.index_dim, static_cast<std::int64_t>(best.size()),
             keys, tokens});
        int n =
            kernels::select_blocks(best, c_.top_blocks, c_.init_blocks, c_.local_blocks, chosen);
        chosen.resize(static_cast<std::size_t>(n));
        if (probe_ == nullptr) return;
        const auto h = static_cast<std::size_t>(kv_head), at = static_cast<std::size_t>(r);
        blocks_[h][at] = chosen;
        scores_[h][at] = best;
    }

    void mlp(int layer) {
        const LayerWeights& w = p_.weights.layers[static_cast<std::size_t>(layer)];
        normalise(w.post_norm, hidden_, x_);
        if (c_.layers[static_cast<std::size_t>(layer)].experts) {
            experts(w);
        } else {
            fit(mlp_, count(c_.hidden));
            gated(w.dense, x_.data(), rows_, mlp_.data());
        }
        add(p_.workers, p_.compute, mlp_.data(), count(c_.hidden), hidden_.data());
    }

    void gated(const MlpWeights& w, const float* x, std::int64_t rows, float* out) {
        const std::int64_t size = rows * w.gate.rows;
        fit(gate_, size);
        fit(up_, size);
        linear(p_.workers, w.gate, x, rows, gate_.data());
        linear(p_.workers, w.up, x, rows, up_.data());
        round(p_.workers, p_.compute, size, gate_.data());
        round(p_.workers, p_.compute, size, up_.data());
        swiglu(p_.workers, c_.swiglu_alpha, c_.swiglu_limit, p_.compute, gate_.data(), up_.data(),
               size, gate_.data());
        linear(p_.workers, w.down, gate_.data(), rows, out);
        round(p_.workers, p_.compute, rows * w.down.rows, out);
    }

    void route(const LayerWeights& w) {
        const auto k = static_cast<std::size_t>(c_.experts_per_token);
        fit(router_, count(c_.experts));
        linear(p_.workers, w.router, x_.data(), rows_, router_.data());
        expert_.resize(row_.size() * k);
        expert_weight_.resize(row_.size() * k);
        p_.workers.run(rows_, [&](std::int64_t r) {
            thread_local std::vector<float> score;
            score.resize(static_cast<std::size_t>(c_.experts));
            for (std::size_t e = 0; e < score.size(); ++e)
                score[e] = kernels::logistic(router_[static_cast<std::size_t>(r * c_.experts) + e]);
            std::int32_t* chosen = expert_.data() + static_cast<std::size_t>(r) * k;
            float* weight = expert_weight_.data() + static_cast<std::size_t>(r) * k;
            kernels::select_experts(score, w.routing_bias, {chosen, k});
            float sum = 0;
            for (std::size_t i = 0; i < k; ++i) sum += score[static_cast<std::size_t>(chosen[i])];
            for (std::size_t i = 0; i < k; ++i)
                weight[i] = score[static_cast<std::size_t>(chosen[i])] / sum;
        });
    }

    void experts(const LayerWeights& w) {
        route(w);
        const auto k = static_cast<std::size_t>(c_.experts_per_token);
        const auto width = static_cast<std::size_t>(c_.hidden);
        mlp_.assign(row_.size() * width, 0.0f);
        for (std::size_t e = 0; e < w.experts.size(); ++e) {
            std::vector<std::size_t> mine; // rows that chose it
            std::vector<float> weight;
            for (std::size_t i = 0; i < expert_.size(); ++i)
                if (expert_[i] == static_cast<std::int32_t>(e)) {
                    mine.push_back(i / k);
                    weight.push_back(expert_weight_[i]);
                }
            if (mine.empty()) continue;
            const auto rows = static_cast<std::int64_t>(mine.size());
            gathered_.resize(mine.size() * width);
            expert_out_.resize(mine.size() * width);
            for (std::size_t i = 0; i < mine.size(); ++i)
                std::copy_n(x_.begin() + static_cast<std::ptrdiff_t>(mine[i] * width), width,
                            gathered_.begin() + static_cast<std::ptrdiff_t>(i * width));
            gated(w.experts[e], gathered_.data(), rows, expert_out_.data());
            p_.workers.run(rows, [&](std::int64_t i) {
                float* sum = mlp_.data() + mine[static_cast<std::size_t>(i)] * width;
                const float* out = expert_out_.data() + static_cast<std::size_t>(i) * width;
                for (std::size_t d = 0; d < width; ++d)
                    sum[d] = std::fma(weight[static_cast<std::size_t>(i)], out[d], sum[d]);
            });
        }
        trace_.experts = expert_.data();
        trace_.expert_weights = expert_weight_.data();
        trace_.router_logits = router_.data();
        const bool shared = !w.shared.gate.empty();
        expert_out_.assign(row_.size() * width, 0.0f);
        if (shared) gated(w.shared, x_.data(), rows_, expert_out_.data());
        for (std::size_t i = 0; i < mlp_.size(); ++i)
            mlp_[i] = std::fma(c_.routed_scale, mlp_[i], expert_out_[i]);
        round(p_.workers, p_.compute, count(c_.hidden), mlp_.data());
    }

    Buffer logits() {
        Buffer wanted;
        for (std::size_t r = 0; r < row_.size(); ++r)
            if (row_[r].logits)
                wanted.insert(wanted.end(),
                              hidden_.begin() + static_cast<std::ptrdiff_t>(r) * c_.hidden,
                              hidden_.begin() + static_cast<std::ptrdiff_t>(r + 1) * c_.hidden);
        const auto rows = static_cast<std::int64_t>(wanted.size()) / c_.hidden;
        if (rows == 0) return {};
        normalise(p_.weights.norm, wanted, wanted);
        if (probe_ != nullptr) probe_->final_norm(rows, wanted.data());
        Buffer out(static_cast<std::size_t>(rows * c_.vocab));
        linear(p_.workers, p_.weights.head, wanted.data(), rows, out.data());
        return out;
    }

    Parts& p_;
    const TextConfig& c_;
    Probe* probe_;
    std::vector<Row> row_;
    std::vector<std::int32_t> token_;
    std::vector<GivenRows> given_; // first: of the step's rows
    std::int64_t rows_ = 0;
    Buffer hidden_, cos_, sin_, x_, q_, k_, v_, index_q_, index_k_, mixed_, attention_, mlp_;
    Buffer gate_, up_, router_, expert_weight_, gathered_, expert_out_;
    std::vector<std::int32_t> expert_;
    std::vector<std::vector<std::vector<std::int32_t>>> blocks_;
    std::vector<std::vector<std::vector<float>>> scores_;
    LayerTrace trace_;
};

std::vector<float> Forward::run(std::span<const Chunk> chunks, const Cancel& cancel, Probe* probe) {
    Step step(*parts_, chunks, probe);
    std::vector<float> out = step.run(cancel);
    for (const Chunk& chunk : chunks)
        chunk.sequence->advance(static_cast<std::int64_t>(chunk.tokens.size()));
    return out;
}

} // namespace assay::engine
