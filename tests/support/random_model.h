// A text model with random weights and no file, for tests of the forward pass.
#pragma once

#include "assay/engine/weights.h"
#include "assay/kernels/bf16.h"

#include <cmath>
#include <deque>
#include <random>
#include <vector>

namespace assay::engine::test {

inline TextConfig small_config() {
    TextConfig c;
    c.hidden = 48;
    c.vocab = 97;
    c.heads = 4;
    c.kv_heads = 2;
    c.head_dim = 16;
    c.rotary_dim = 8;
    c.rope_theta = 1e4;
    c.norm_epsilon = 1e-6f;
    c.max_positions = 4096;
    c.layers = {{false, false}, {true, false}, {false, true}, {true, true}};
    c.dense_width = 64;
    c.expert_width = 24;
    c.shared_width = 40;
    c.swiglu_alpha = 1.702f;
    c.swiglu_limit = 7;
    c.experts = 6;
    c.experts_per_token = 2;
    c.shared_experts = 1;
    c.routed_scale = 2;
    c.index_heads = 2;
    c.index_dim = 24;
    c.block = 8;
    c.top_blocks = 3;
    c.local_blocks = 1;
    return c;
}

class RandomModel {
  public:
    explicit RandomModel(const TextConfig& config, unsigned seed = 1)
        : c_(config)
        , random_(seed) {
        weights.embedding = matrix(c_.vocab, c_.hidden);
        weights.head = matrix(c_.vocab, c_.hidden);
        weights.norm = around_one(c_.hidden);
        for (const LayerKind& kind : c_.layers) weights.layers.push_back(layer(kind));
    }
    RandomModel(const RandomModel&) = delete;
    TextWeights weights;

  private:
    float draw() { return static_cast<float>(random_()) / 2147483648.0f - 1.0f; }

    Matrix matrix(int rows, int columns) { // bf16 and f32 in turn
        std::vector<float>& values = memory_.emplace_back();
        const bool narrow = ++matrices_ % 2 == 0;
        const float size = 1.7f / std::sqrt(static_cast<float>(columns));
        std::vector<kernels::Bf16Bits>& bits = narrow_.emplace_back();
        for (int i = 0; i < rows * columns; ++i) {
            values.push_back(draw() * size);
            bits.push_back(kernels::to_bf16(values.back()));
        }
        Matrix out;
        out.format = narrow ? Format::Bf16 : Format::F32;
        out.rows = rows;
        out.columns = columns;
        out.data = narrow ? reinterpret_cast<const std::byte*>(bits.data())
                          : reinterpret_cast<const std::byte*>(values.data());
        return out;
    }

    Vector around_one(int size) {
        Vector out;
        for (int i = 0; i < size; ++i) out.push_back(1 + 0.3f * draw());
        return out;
    }

    MlpWeights mlp(int width) {
        return {matrix(width, c_.hidden), matrix(width, c_.hidden), matrix(c_.hidden, width)};
    }

    LayerWeights layer(const LayerKind& kind) {
        LayerWeights w;
        w.input_norm = around_one(c_.hidden);
        w.post_norm = around_one(c_.hidden);
        w.q_norm = around_one(c_.head_dim);
        w.k_norm = around_one(c_.head_dim);
        w.q = matrix(c_.heads * c_.head_dim, c_.hidden);
        w.k = matrix(c_.kv_heads * c_.head_dim, c_.hidden);
        w.v = matrix(c_.kv_heads * c_.head_dim, c_.hidden);
        w.o = matrix(c_.hidden, c_.heads * c_.head_dim);
        if (kind.sparse) {
            w.index_q_norm = around_one(c_.index_dim);
            w.index_k_norm = around_one(c_.index_dim);
            w.index_q = matrix(c_.index_heads * c_.index_dim, c_.hidden);
            w.index_k = matrix(c_.index_dim, c_.hidden);
        }
        if (!kind.experts) {
            w.dense = mlp(c_.dense_width);
            return w;
        }
        w.router = matrix(c_.experts, c_.hidden);
        for (int e = 0; e < c_.experts; ++e) {
            w.routing_bias.push_back(0.1f * draw());
            w.experts.push_back(mlp(c_.expert_width));
        }
        w.shared = mlp(c_.shared_width);
        return w;
    }

    const TextConfig c_;
    std::mt19937 random_;
    int matrices_ = 0;
    std::deque<std::vector<float>> memory_;
    std::deque<std::vector<kernels::Bf16Bits>> narrow_;
};

} // namespace assay::engine::test
